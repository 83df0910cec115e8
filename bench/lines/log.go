package lines

import (
	"encoding/base64"
	"math/rand/v2"
	"strconv"
	"time"
)

// Kinds of logs, from what packs best to what does not pack at all.
const (
	Repetitive = "repetitive" // one line again and again
	Typical    = "typical"    // timestamps, levels, ids and varying words
	Random     = "random"     // base64 of random bytes
)

// Log makes lines of one kind, the same ones in every run.
type Log struct {
	kind string
	rnd  *rand.Rand
	at   time.Time
	line []byte
}

// NewLog makes a Log.
func NewLog(kind string) *Log {
	return &Log{kind: kind, rnd: rand.New(rand.NewPCG(1, 2)), at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
}

var (
	levels = []string{"INFO", "INFO", "INFO", "INFO", "DEBUG", "DEBUG", "WARN", "ERROR"}
	verbs  = []string{"fetched", "stored", "skipped", "parsed", "queued", "scored", "merged", "retried"}
	things = []string{"message", "customer", "ticket", "invoice", "batch", "topic", "attachment", "conversation", "segment", "report"}
	places = []string{"inbox", "warehouse", "cache", "index", "model", "archive"}
)

func (l *Log) pick(from []string) string { return from[l.rnd.IntN(len(from))] }

// Next is the next line, good until the one after it.
func (l *Log) Next() []byte {
	b := l.line[:0]
	switch l.kind {
	case Repetitive:
		b = append(b, "still waiting for the model to answer, asking again in a second"...)
	case Random:
		var raw [57]byte // 76 characters, as in mail
		for i := range raw {
			raw[i] = byte(l.rnd.Uint32())
		}
		b = base64.StdEncoding.AppendEncode(b, raw[:])
	default:
		l.at = l.at.Add(time.Duration(l.rnd.IntN(80_000)) * time.Microsecond)
		b = l.at.AppendFormat(b, "2006-01-02T15:04:05.000Z ")
		b = append(b, l.pick(levels)+" ["+l.pick(places)+"] "+l.pick(verbs)+" "+l.pick(things)+" id="...)
		b = strconv.AppendUint(b, uint64(l.rnd.Uint32()), 16)
		b = append(b, " from "+l.pick(places)+" in "...)
		b = strconv.AppendInt(b, int64(l.rnd.IntN(5000)), 10)
		b = append(b, "ms, "...)
		b = strconv.AppendInt(b, int64(l.rnd.IntN(1000)), 10)
		b = append(b, " left"...)
	}
	l.line = append(b, '\n')
	return l.line
}
