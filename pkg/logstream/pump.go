package logstream

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Pump reads r to its end and adds the bytes as chunks of s. It returns nil at
// EOF, else the read error. It blocks while the buffer is full, and reads on
// and discards once Run has given up.
func (w *Writer) Pump(s execution.Stream, r io.Reader) error {
	p := &pump{w: w, stream: s}
	if w.o.Redactor != nil {
		p.redact = w.o.Redactor.Stream()
	}
	w.mu.Lock()
	w.pumps = append(w.pumps, p)
	w.mu.Unlock()
	defer p.finish()

	src := newSource(r)
	for {
		w.waitRoom()
		err := src.read(func(b []byte) {
			if events := w.events.Load(); events != nil {
				events.wait()
			}
			p.write(b)
		})
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", s, err)
		}
	}
}

// pump is what stands between one stream's reads and the queue: it holds back
// what may be the start of a secret, and a rune that has not fully arrived.
type pump struct {
	w      *Writer
	stream execution.Stream
	redact *Stream      // nil: off
	idleAt atomic.Int64 // Unix nanoseconds when what redact holds is to be flushed; 0: it holds nothing

	mu       sync.Mutex // taken before the writer's; guards redact and below
	carry    []byte     // an incomplete rune: 3 bytes at most
	finished bool
}

// write takes bytes as they were read.
func (p *pump) write(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished {
		return
	}
	now := time.Now()
	if p.redact == nil {
		p.release(b, now)
		return
	}
	b = p.redact.Write(b)
	if p.redact.Held() == 0 {
		p.idleAt.Store(0)
		p.release(b, now)
		return
	}
	p.idleAt.Store(now.Add(p.w.o.Hold).UnixNano())
	p.release(b, now)
	p.w.signal() // so that Run learns of the new idle time
}

// release hands bytes on, up to the last complete rune. They have been here
// since then.
func (p *pump) release(b []byte, since time.Time) {
	var first []byte
	if len(p.carry) > 0 {
		n := 0
		for n < len(b) && !utf8.FullRune(p.carry) {
			p.carry = append(p.carry, b[n])
			n++
		}
		if !utf8.FullRune(p.carry) {
			return
		}
		first, b, p.carry = p.carry, b[n:], nil
	}
	if n := partialRune(b); n > 0 {
		p.carry = append(p.carry, b[len(b)-n:]...)
		b = b[:len(b)-n]
	}
	if len(first)+len(b) > 0 {
		p.w.push(p.stream, since, first, b)
	}
}

// flushIdle releases what may go after a pause. It says how long the rest of
// the pause is, 0 when there is nothing to wait for.
func (p *pump) flushIdle(now time.Time) time.Duration {
	at := p.idleAt.Load()
	if at == 0 {
		return 0
	}
	if left := at - now.UnixNano(); left > 0 {
		return time.Duration(left)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished || p.idleAt.Load() != at {
		return 0 // more has come meanwhile, and Run is being told
	}
	p.idleAt.Store(0)
	p.release(p.redact.Flush(), now.Add(-p.w.o.Hold))
	return 0
}

// finish releases everything: the stream has ended.
func (p *pump) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.finished {
		return
	}
	p.finished = true
	p.idleAt.Store(0)
	if p.redact != nil {
		p.release(p.redact.Close(), time.Now())
	}
	if len(p.carry) > 0 {
		p.w.push(p.stream, time.Now(), p.carry)
	}
}

// flushIdle does so for all pumps, and gives the shortest time that one of
// them has yet to wait.
func (w *Writer) flushIdle(now time.Time) (wait time.Duration) {
	w.mu.Lock()
	pumps := w.pumps
	w.mu.Unlock()
	for _, p := range pumps {
		if d := p.flushIdle(now); d > 0 && (wait == 0 || d < wait) {
			wait = d
		}
	}
	return wait
}
