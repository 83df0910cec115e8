package redisstore

import (
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// A folded record is one string in the place of the record's hash. All integers are uvarints.
//
//	the number of its dictionary, 1 byte
//	a zstd frame with that dictionary, of
//	  for each field: its number in foldedFields * 4 + its kind, and the value; 0 ends them
//	    kind 0 text: length and bytes; 1 a decimal number; 2 32 hex digits, as 16 bytes
//	    number 63 is a field that has none: first its name, length and bytes
//	  1 if the whole log follows, else 0: it is where it was, in the stream or the archive
//	  for each entry of the log: last, number of events, encoding (1 byte), length and bytes
//
// Never change a number, or a dictionary: there are records for RETENTION, and
// older releases run beside this one. A new dictionary gets the next number.
const foldDict = 1

//go:embed fold1.txt
var foldDict1 string

var foldedFields = []string{
	1: "spec", 2: "status", 3: "attempt", 4: "worker", 5: "created", 6: "eligible", 7: "started", 8: "ended", 9: "cancel",
	10: "last", 11: "bytes", 12: "progress", 13: "outcome", 14: "result", 15: "past", 16: "dispatch", 17: "settled",
	18: "stored", 19: "packed",
}

// notFolded are fields that no ended execution needs: the lease and the batch of
// its attempt, create's mark, which a repeat asks for within seconds, that it
// was to be killed, and what the spec and the log have too.
var notFolded = []string{"token", "batch", "nonce", "queue", "hook", "cut", "kill"}

const (
	foldText = iota
	foldNumber
	foldHex
	foldUnknown = 63
)

// folded is an ended execution in one piece.
type folded struct {
	fields map[string]string
	log    []entry // all of it, where whole
	whole  bool
}

var errFoldedBad = errors.New("redisstore: a folded record is damaged")

// fold gives the string for an ended execution; log is nil when it stays where it is.
func (c codec) fold(f folded) string {
	var b []byte
	for _, name := range foldedFields[1:] {
		if v, ok := f.fields[name]; ok {
			b = appendField(b, slices.Index(foldedFields, name), v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.fields)) {
		if !slices.Contains(foldedFields, name) && !slices.Contains(notFolded, name) {
			b = append(b, foldUnknown<<2)
			b = appendText(appendText(b, name), f.fields[name])
		}
	}
	b = append(b, 0)
	if f.whole {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	for _, e := range f.log {
		b = binary.AppendUvarint(b, uint64(e.last))
		b = binary.AppendUvarint(b, uint64(e.last-e.first+1))
		b = appendText(append(b, e.enc[0]), e.data)
	}
	return string(c.folder.EncodeAll(b, []byte{foldDict}))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendField takes the shortest kind that gives back the same text.
func appendField(b []byte, number int, v string) []byte {
	code := byte(number << 2)
	if n, err := strconv.ParseUint(v, 10, 63); err == nil && strconv.FormatUint(n, 10) == v {
		return binary.AppendUvarint(append(b, code|foldNumber), n)
	}
	if raw, err := hex.DecodeString(v); err == nil && len(raw) == 16 && hex.EncodeToString(raw) == v {
		return append(append(b, code|foldHex), raw...)
	}
	return appendText(append(b, code), v) // foldText
}

// unfold is the opposite of fold.
func (c codec) unfold(s string) (folded, error) {
	if s == "" || s[0] != foldDict {
		return folded{}, fmt.Errorf("%w, or comes from a newer release", errFoldedBad)
	}
	b, err := c.dec.DecodeAll([]byte(s[1:]), make([]byte, 0, 2<<10))
	if err != nil {
		return folded{}, fmt.Errorf("%w: %w", errFoldedBad, err)
	}
	r := &cutter{b: b}
	f := folded{fields: make(map[string]string, len(foldedFields))}
	for code := r.byte(); code != 0 && !r.bad; code = r.byte() {
		name, value := r.field(code)
		f.fields[name] = value
	}
	f.whole = r.byte() == 1
	for len(r.b) > 0 && !r.bad {
		last, n := r.uint(), r.uint()
		if n == 0 || n > last {
			r.bad = true
			break
		}
		e := entry{last: execution.Cursor(last), first: execution.Cursor(last - n + 1)}
		e.enc, e.data = string(r.take(1)), string(r.text())
		f.log = append(f.log, e)
	}
	if r.bad {
		return folded{}, errFoldedBad
	}
	return f, nil
}

// cutter takes values off the front of what was folded; bad when there was less.
type cutter struct {
	b   []byte
	bad bool
}

func (r *cutter) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	got := r.b[:n]
	r.b = r.b[n:]
	return got
}

func (r *cutter) byte() byte {
	if got := r.take(1); got != nil {
		return got[0]
	}
	return 0
}

func (r *cutter) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *cutter) text() []byte { return r.take(r.uint()) }

func (r *cutter) field(code byte) (name, value string) {
	switch number := int(code >> 2); {
	case number == foldUnknown:
		name = string(r.text())
	case number < len(foldedFields):
		name = foldedFields[number]
	default:
		r.bad = true
	}
	switch code & 3 {
	case foldText:
		value = string(r.text())
	case foldNumber:
		value = strconv.FormatUint(r.uint(), 10)
	case foldHex:
		value = hex.EncodeToString(r.take(16))
	default:
		r.bad = true
	}
	return name, value
}

// after gives the entries that end behind a cursor.
func (f folded) after(after execution.Cursor) []entry { return entriesAfter(f.log, after) }

// errFolded says that a script met a folded record: the execution ended some
// time ago, and what is asked of it is answered by the record.
var errFolded = errors.New("redisstore: the record is folded")

// isFolded knows what Redis says where a hash is asked for and a string is
// there: to a command, and to a script.
func isFolded(err error) bool {
	var re redis.Error
	return errors.As(err, &re) && strings.Contains(re.Error(), "WRONGTYPE")
}

// exceptFolded is the first error of a pipeline that is neither "there is none" nor that of
// a hash that has been folded.
func exceptFolded(cmds []redis.Cmder, err error) error {
	for _, c := range cmds {
		if e := c.Err(); e != nil && !isNil(e) && !isFolded(e) {
			return e
		}
	}
	if isNil(err) || isFolded(err) {
		return nil
	}
	return err
}

// getFolded reads one; an error of code NotFound when there is none.
func (s *Store) getFolded(ctx context.Context, id execution.ID) (folded, error) {
	text, err := s.rdb.Get(ctx, recordKey(s.prefixOf(id), id)).Result()
	if isNil(err) {
		return folded{}, gone(id)
	}
	if err != nil {
		return folded{}, wrap("read record", err)
	}
	f, err := s.codec.unfold(text)
	if err != nil {
		return folded{}, fmt.Errorf("execution %s: %w", id, err)
	}
	return f, nil
}
