package httpapi

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/hub"
)

// directs are all direct streams of a server, and the line of those that may have
// something to write. A few goroutines serve the line, and only while it is not
// empty: waking one goroutine per stream would cost as much as the writes, and
// streams that stand at the same place share what is written.
type directs struct {
	server   *Server
	ctx      context.Context // of no request: the streams outlive their handlers, and end with drain
	draining atomic.Bool
	running  sync.WaitGroup // streams and the goroutines that serve them

	mu      sync.Mutex // guards below; a topic's mutex may be held
	all     map[*direct]struct{}
	line    []*direct
	workers int
	spare   []*scratch
	watch   *watch // nil where there is no stream, or the system has none
	begun   int    // streams since the last tidying
}

// turn is where a direct stream is.
type turn uint8

const (
	idle   turn = iota // waits to be woken
	queued             // in line
	busy               // somebody has it
	closed
)

// taken are so many at a time, so that the line's mutex is not what all wait for.
const taken = 32

// begin starts d, which running counts already. report is called with its end.
func (a *directs) begin(d *direct, report func(sent int64)) {
	d.report, d.wake = report, func() { a.wake(d) }
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[*direct]struct{}{}
	}
	a.all[d] = struct{}{}
	if a.begun++; a.begun == manyBegun {
		time.AfterFunc(time.Second, a.tidy)
	}
	d.alarm = time.AfterFunc(time.Hour, d.wake)
	d.setAlarm(a.server.Now())
	if d.raw != nil {
		if a.watch == nil {
			a.watch = newWatch(a.running.Go)
		}
		a.watch.add(d)
	}
	a.queue(d)
}

// manyBegun streams leave enough behind to be worth a collection.
const manyBegun = 256

// tidy gives back what net/http had for streams that many began at once: four
// times what they take from then on, and pools keep it for two collections, the
// next of which may be minutes off where streams are quiet.
func (a *directs) tidy() {
	a.mu.Lock()
	a.begun = 0
	a.mu.Unlock()
	runtime.GC()
	debug.FreeOSMemory()
}

// wake puts d in line, or makes who has it look again.
func (a *directs) wake(d *direct) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch d.state {
	case idle:
		a.queue(d)
	case busy:
		d.again = true
	case queued, closed:
	}
}

// interrupt is wake for news that end a wait for the source too.
func (a *directs) interrupt(d *direct) {
	a.wake(d)
	a.mu.Lock()
	defer a.mu.Unlock()
	if d.cancel != nil {
		d.cancel()
	}
}

// queue needs the mutex.
func (a *directs) queue(d *direct) {
	d.state = queued
	a.line = append(a.line, d)
	if a.workers < runtime.GOMAXPROCS(0) {
		a.workers++
		a.running.Go(a.work)
	}
}

// work serves the line until it is empty.
func (a *directs) work() {
	var (
		mine [taken]*direct
		sc   *scratch
	)
	for {
		n := a.take(mine[:], &sc)
		if n == 0 {
			return
		}
		for i, d := range mine[:n] {
			mine[i] = nil
			a.put(d, d.alone(func() step { return d.advance(sc) }))
		}
	}
}

// alone lets a defect end this stream and no other, as it does in a handler.
func (d *direct) alone(serve func() step) (next step) {
	defer func() {
		if p := recover(); p != nil {
			d.all.server.Logger.Error("panic", "panic", p, "execution_id", d.id, "stack", string(debug.Stack()))
			next = over
		}
	}()
	return serve()
}

// take gives the first of the line. With none there, the worker ends.
func (a *directs) take(mine []*direct, sc **scratch) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := copy(mine, a.line)
	for i, d := range mine[:n] {
		d.state, a.line[i] = busy, nil
	}
	if a.line = a.line[n:]; len(a.line) == 0 {
		a.line = nil // what a crowd has made it grow to goes
	}
	switch {
	case n == 0:
		a.workers--
		if *sc != nil && len(a.spare) < runtime.GOMAXPROCS(0) {
			(*sc).forget()
			a.spare = append(a.spare, *sc)
		}
	case *sc == nil && len(a.spare) > 0:
		*sc, a.spare = a.spare[len(a.spare)-1], a.spare[:len(a.spare)-1]
	case *sc == nil:
		*sc = &scratch{}
	}
	return n
}

// put says what becomes of a stream that somebody had.
func (a *directs) put(d *direct, next step) {
	switch next {
	case wait:
		a.mu.Lock()
		defer a.mu.Unlock()
		if d.state, d.cancel = idle, nil; d.again {
			d.again = false
			a.queue(d)
		}
	case block:
		ctx, cancel := context.WithCancel(a.ctx)
		a.mu.Lock()
		d.cancel = cancel
		a.mu.Unlock()
		if d.gone.Load() || a.draining.Load() { // said before there was what to cancel
			cancel()
		}
		a.running.Go(func() {
			defer cancel()
			a.put(d, d.alone(func() step { return d.follow(ctx) }))
		})
	case over:
		a.mu.Lock()
		d.state, d.cancel = closed, nil
		delete(a.all, d)
		watch, last := a.watch, len(a.all) == 0
		if last {
			a.watch = nil
		}
		a.mu.Unlock()
		watch.remove(d, last)
		d.close()
		a.running.Done()
	}
}

// drain ends all streams, and those that come later at once.
func (a *directs) drain() {
	a.draining.Store(true)
	for _, d := range a.list() {
		a.interrupt(d)
	}
}

// cut closes the connections that are left.
func (a *directs) cut() {
	for _, d := range a.list() {
		d.gone.Store(true)
		_ = d.conn.Close()
		a.interrupt(d)
	}
}

func (a *directs) list() []*direct {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]*direct, 0, len(a.all))
	for d := range a.all {
		list = append(list, d)
	}
	return list
}

// scratch is what one worker uses for all streams in turn.
type scratch struct {
	frames [][]byte
	buf    []byte

	out []byte // in buf
	// What out holds, for those that stand at the same place.
	id          execution.ID
	events      string
	after, last execution.Cursor
	end         bool

	// For try, so that no write allocates.
	b   []byte
	n   int
	err error
	fn  func(fd uintptr) bool
}

// headRoom is room for the head of a chunk before its length is known.
const headRoom = 10

// render gives b as a chunk, which began behind after; nothing where all is
// filtered out, nil where it is too large for a copy.
func (sc *scratch) render(d *direct, b *hub.Batch, after execution.Cursor) []byte {
	if sc.out != nil && sc.id == d.id && sc.events == d.events && sc.after == after && sc.last == b.Last && sc.end == b.End {
		return sc.out
	}
	size := 0
	for _, f := range b.Frames {
		size += len(f)
	}
	if size > writePiece {
		return nil
	}
	var room [headRoom]byte
	sc.out = nil // it is written over
	buf := append(sc.buf[:0], room[:]...)
	for _, f := range b.Frames {
		switch {
		case len(f) == 0: // an event that could not be encoded
		case d.edit == nil:
			buf = append(buf, f...)
		default:
			buf = d.edit(buf, f)
		}
	}
	sc.id, sc.events, sc.after, sc.last, sc.end = d.id, d.events, after, b.Last, b.End
	from := headRoom
	if n := len(buf) - headRoom; n > 0 {
		head := append(strconv.AppendInt(room[:0], int64(n), 16), chunkTail...)
		from -= copy(buf[headRoom-len(head):], head)
		buf = append(buf, chunkTail...)
	}
	if b.End {
		buf = append(buf, lastChunk...)
	}
	sc.buf, sc.out = buf, buf[from:]
	return sc.out
}

// forget lets the frames go, and what was made of them.
func (sc *scratch) forget() {
	clear(sc.frames[:cap(sc.frames)])
	sc.id, sc.events, sc.after, sc.last = "", "", 0, 0
	if cap(sc.frames) > 1024 {
		sc.frames = nil
	}
}

// try writes b to a connection without waiting, and says how much was taken.
func (sc *scratch) try(raw syscall.RawConn, b []byte) (int, error) {
	if sc.fn == nil {
		sc.fn = func(fd uintptr) bool {
			for {
				sc.n, sc.err = syscall.Write(int(fd), sc.b)
				if !errors.Is(sc.err, syscall.EINTR) {
					return true
				}
			}
		}
	}
	sc.b = b
	err := raw.Write(sc.fn)
	sc.b = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(sc.err, syscall.EAGAIN):
		return 0, nil
	}
	return max(sc.n, 0), sc.err
}
