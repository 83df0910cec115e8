package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/hub"
)

// direct is an event stream whose connection was taken over from net/http when
// its head was sent. While there is nothing to write it is these fields and no
// more: no goroutine, no buffer, no reader. net/http needs two goroutines and
// 8 KiB of buffers for each, and thousands may follow one execution (ADR 14).
//
// Who has taken it from directs' line writes what there is, without waiting,
// and puts it back. Where waiting is needed, since the client is slow or the
// events have to be read for it alone, it gets a goroutine until it has caught up.
type direct struct {
	all    *directs
	id     execution.ID
	sub    *hub.Subscriber
	conn   net.Conn
	raw    syscall.RawConn // of conn; nil where it has none
	events string          // the filter as it was asked for
	edit   edit            // and what it does
	rotate time.Time
	report func(sent int64) // tells metrics and log of the end
	wake   func()           // puts it in line
	gone   atomic.Bool      // the client has closed its side

	// The mutex of directs guards these.
	state  turn
	again  bool               // something came while it was busy
	cancel context.CancelFunc // ends a wait for the source

	// Only for who has it busy.
	wrote   time.Time
	due     time.Time // when alarm rings
	alarm   *time.Timer
	cursor  execution.Cursor
	sent    int64
	pending net.Buffers // what the connection has not taken yet
	ending  bool        // nothing follows pending
}

// canTakeOver says whether a request can become a direct stream: HTTP/1.1, for
// its chunks, without a body that may not be read to its end, and on a connection
// that net/http gives away.
func canTakeOver(r *http.Request, w http.ResponseWriter) bool {
	if r.ProtoMajor != 1 || r.ProtoMinor < 1 || r.Body != nil && r.Body != http.NoBody {
		return false
	}
	for {
		switch v := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return false
		}
	}
}

// takeOver sends the head of an event stream and takes the connection over, if
// that can be. The stream begins when the handler has returned: see observe.
func (s *Server) takeOver(c echo.Context, id execution.ID, after execution.Cursor, events string, first [][]byte, life time.Duration) bool {
	if !canTakeOver(c.Request(), c.Response().Writer) {
		return false
	}
	c.Response().Header().Set("Connection", "close") // we cannot give it back
	began := s.Now()
	w := newSSE(c, only(events))
	if _, err := w.frames(first); err != nil || w.retry(retryHint) != nil {
		return true // gone already
	}
	s.directs.running.Add(1) // before http.Server.Shutdown forgets the connection
	conn, _, err := w.rc.Hijack()
	if err != nil {
		s.directs.running.Done()
		s.Logger.WarnContext(c.Request().Context(), "a connection cannot be taken over", "error", err)
		return true // it ends, and the client comes back
	}
	d := &direct{all: &s.directs, id: id, conn: conn, cursor: after, events: events, edit: w.edit, rotate: began.Add(life), wrote: began}
	if sc, ok := conn.(syscall.Conn); ok {
		d.raw, _ = sc.SyscallConn() // an error leaves nil
	}
	d.sub = s.Hub.Subscribe(id, after)
	requestOf(c.Request().Context()).taken = d
	return true
}

// step is what a direct stream wants next.
type step int

const (
	wait  step = iota // to be woken
	block             // a goroutine, to wait for the client or for the source
	over              // to be closed
)

// advance writes what there is, and waits for nothing.
func (d *direct) advance(sc *scratch) step {
	for {
		if next, done := d.look(); done {
			return next
		}
		before := d.cursor
		b, err := d.sub.Poll(&sc.frames, d.wake)
		switch {
		case errors.Is(err, hub.ErrBehind):
			return block
		case err != nil:
			return d.stop(err)
		case len(b.Frames) == 0:
			return d.rest()
		}
		d.cursor, d.ending = b.Last, b.End
		out := sc.render(d, &b, before)
		if out == nil { // too much for a copy
			d.hold(b)
			return block
		}
		if next, done := d.write(sc, out); done {
			return next
		}
	}
}

// look ends a stream that must not go on.
func (d *direct) look() (next step, done bool) {
	switch now := d.all.server.Now(); {
	case d.gone.Load():
		return over, true
	case len(d.pending) > 0:
		return block, true
	case d.ending:
		return over, true
	case d.all.draining.Load() || !now.Before(d.rotate):
		return d.bye(), true
	}
	return wait, false
}

// bye tells the client when to come back. The times are spread, or all come back
// at once.
func (d *direct) bye() step {
	d.finish(fmt.Appendf(nil, "retry: %d\n\n", (time.Second + rand.N(retryHint)).Milliseconds()))
	return block
}

// stop ends the stream since its subscription has.
func (d *direct) stop(err error) step {
	if errors.Is(err, io.EOF) { // the end event was before the cursor
		d.finish(nil)
		return block
	}
	if !d.all.draining.Load() {
		d.all.server.Logger.Warn("stream ended early", "error", err, "execution_id", d.id)
	}
	d.finish(fmt.Appendf(nil, "retry: %d\n\n", retryHint.Milliseconds()))
	return block
}

// finish ends the stream with what is left to say.
func (d *direct) finish(last []byte) {
	d.ending = true
	if len(last) > 0 {
		d.pending = append(d.pending, chunked(last))
	}
	d.pending = append(d.pending, lastChunk)
}

// rest is the turn of a stream that has nothing to write but keep-alives.
func (d *direct) rest() step {
	now := d.all.server.Now()
	if now.Before(d.due) {
		return wait
	}
	if alive := d.wrote.Add(d.all.server.KeepAlive); !now.Before(alive) {
		d.pending = append(d.pending, chunked(keepAliveFrame))
		return block // a short one: see follow
	}
	d.setAlarm(now)
	return wait
}

// setAlarm makes it be looked at when its next keep-alive or its rotation is
// due. It stays as it is while it has not rung, however much is written.
func (d *direct) setAlarm(now time.Time) {
	d.due = minTime(d.wrote.Add(d.all.server.KeepAlive), d.rotate)
	d.alarm.Reset(max(d.due.Sub(now), 0))
}

// write gives b to the kernel, as far as it takes it.
func (d *direct) write(sc *scratch, b []byte) (next step, done bool) {
	if len(b) == 0 { // all filtered out
		return wait, false
	}
	n := 0
	if d.raw != nil {
		var err error
		if n, err = sc.try(d.raw, b); err != nil {
			return over, true
		}
	}
	d.sent += int64(n)
	if n > 0 {
		d.wrote = d.all.server.Now()
	}
	if n < len(b) {
		d.pending = net.Buffers{append([]byte(nil), b[n:]...)}
		return block, true
	}
	return wait, false
}

// hold makes the frames of b what is to be written next, without a copy.
func (d *direct) hold(b hub.Batch) {
	var frames [][]byte
	size := 0
	for _, f := range b.Frames {
		if d.edit != nil {
			f = d.edit(nil, f)
		}
		if size += len(f); len(f) > 0 {
			frames = append(frames, f)
		}
	}
	if size > 0 {
		d.pending = append(append(append(d.pending, chunkHead(size)), frames...), chunkTail)
	}
	if b.End {
		d.pending = append(d.pending, lastChunk)
	}
}

// follow is advance for one that has to wait: it writes what is pending, and
// goes on until it has caught up.
func (d *direct) follow(ctx context.Context) step {
	var list [][]byte
	for {
		if d.flush() != nil {
			return over
		}
		switch next, done := d.look(); {
		case done && next == block:
			continue
		case done:
			return next
		}
		b, err := d.sub.Poll(&list, d.wake)
		if errors.Is(err, hub.ErrBehind) {
			if b, err = d.replay(ctx); err == nil && len(b.Frames) == 0 {
				continue
			}
		}
		switch {
		case err != nil:
			d.stop(err)
		case len(b.Frames) > 0:
			d.cursor, d.ending = b.Last, b.End
			d.hold(b)
		default:
			if next := d.rest(); next != block {
				return next
			}
		}
	}
}

// replay waits for the source, with keep-alives. No frames and no error: look again.
func (d *direct) replay(ctx context.Context) (hub.Batch, error) {
	s := d.all.server
	alive := d.wrote.Add(s.KeepAlive)
	b, err := s.next(ctx, d.sub, minTime(alive, d.rotate))
	if err == nil || !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return b, err
	}
	if !s.Now().Before(alive) {
		d.pending = append(d.pending, chunked(keepAliveFrame))
	}
	return hub.Batch{}, nil
}

// flush writes what is pending, with a deadline for each piece: who takes
// nothing for so long is cut, and comes back with its cursor.
func (d *direct) flush() error {
	if len(d.pending) == 0 {
		return nil
	}
	defer func() { d.pending = nil }()
	for len(d.pending) > 0 {
		var piece net.Buffers
		for size := 0; len(d.pending) > 0 && size < writePiece; {
			b := d.pending[0]
			n := min(len(b), writePiece-size)
			piece, size = append(piece, b[:n]), size+n
			if d.pending[0] = b[n:]; n == len(b) {
				d.pending[0], d.pending = nil, d.pending[1:]
			}
		}
		if err := d.conn.SetWriteDeadline(time.Now().Add(d.all.server.WriteTimeout)); err != nil {
			return err
		}
		n, err := piece.WriteTo(d.conn)
		d.sent += n
		if err != nil {
			return err
		}
		d.wrote = d.all.server.Now()
	}
	return d.conn.SetWriteDeadline(time.Time{}) // else it would meet the next write without waiting
}

// close ends it all.
func (d *direct) close() {
	d.alarm.Stop()
	d.sub.Close()
	if d.raw != nil {
		// What the client has said unasked must not turn the end into a reset,
		// which could overtake the last frames.
		var some [512]byte
		_ = d.raw.Read(func(fd uintptr) bool {
			for n, err := 1, error(nil); n > 0 && err == nil; n, err = syscall.Read(int(fd), some[:]) {
			}
			return true
		})
	}
	_ = d.conn.Close()
	d.report(d.sent)
}

var (
	keepAliveFrame = []byte(": keep-alive\n\n")
	chunkTail      = []byte("\r\n")
	lastChunk      = []byte("0\r\n\r\n")
)

// chunkHead begins a chunk of HTTP/1.1 (RFC 9112, 7.1).
func chunkHead(size int) []byte {
	return append(strconv.AppendInt(make([]byte, 0, 10), int64(size), 16), '\r', '\n')
}

func chunked(b []byte) []byte {
	return append(append(chunkHead(len(b)), b...), chunkTail...)
}
