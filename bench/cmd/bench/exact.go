package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longhaul/longhaul/bench/lines"
	"github.com/longhaul/longhaul/bench/wire"
	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// exact: does every subscriber see every line once and in order, also those whose
// stream is cut again and again, and does every execution end once, when one of two
// workers is killed (SIGKILL) while all of them run?
var exact = &scenario{
	name: "exact", what: "six executions on two workers, one of which is killed; subscribers that stay, that are cut and come back, and WebSockets",
	columns: []column{
		{"wrong", "lines lost, doubled, reordered"},
		{"lines", "of lines to all subscribers"},
		{"cuts", "streams cut and resumed"},
		{"lost", "executions lost or run twice"},
		{"killed", "ended by the kill"},
		{"completed", "completed"},
	},
	run: runExact,
}

const (
	exactExecutions = 6
	exactPerWorker  = 3
	exactEvery      = 10 * time.Millisecond
)

func runExact(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{concurrency: exactPerWorker}, func(st *stack) error {
		if err := st.ours.addWorker(r.session); err != nil {
			return err
		}
		dir, err := r.folder("starts")
		if err != nil {
			return err
		}
		e := &exactness{round: r, st: st, dir: dir}
		for i := range exactExecutions {
			id, err := st.post(probe("emit", "-l", strconv.Itoa(r.size.exactLines), strconv.FormatInt(exactEvery.Microseconds(), 10), e.starts(i)))
			if err != nil {
				return err
			}
			e.ids = append(e.ids, id)
		}
		return e.run(ctx, c.name)
	})
}

type exactness struct {
	*round
	st   *stack
	dir  string
	ids  []string
	seen [][]*lines.Tally // of each execution, by each subscriber
	cuts atomic.Int64
}

// starts is a file with one line for each start of the engine.
func (e *exactness) starts(i int) string { return filepath.Join(e.dir, strconv.Itoa(i)) }

func (e *exactness) run(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var all sync.WaitGroup
	failed := make(chan error, 100)
	for i, id := range e.ids {
		e.seen = append(e.seen, nil)
		for _, subscriber := range []func(context.Context, string, *lines.Tally) error{e.stays, e.comesBack, e.comesBack, e.onSocket} {
			tally := &lines.Tally{}
			e.seen[i] = append(e.seen[i], tally)
			all.Go(func() {
				if err := subscriber(ctx, id, tally); err != nil {
					failed <- fmt.Errorf("subscriber of %s: %w", id, err)
				}
			})
		}
	}
	// All must have begun, and none may have ended, when the worker dies.
	if err := pause(ctx, exactEvery*time.Duration(e.size.exactLines)/2); err != nil {
		return err
	}
	e.st.ours.worker[0].kill()
	if err := e.st.ours.addWorker(e.session); err != nil {
		return err
	}
	all.Wait()
	close(failed)
	for err := range failed {
		return err
	}
	return e.judge(name)
}

// stays reads one stream from the beginning to the end.
func (e *exactness) stays(_ context.Context, id string, tally *lines.Tally) error {
	_, err := e.read(id, "", tally, nil)
	return err
}

// comesBack is cut again and again, and goes on after the last whole frame.
func (e *exactness) comesBack(ctx context.Context, id string, tally *lines.Tally) error {
	last, ended := "", errCut
	for errors.Is(ended, errCut) {
		if err := ctx.Err(); err != nil {
			return err
		}
		last, ended = e.read(id, last, tally, time.After(50*time.Millisecond+rand.N(300*time.Millisecond)))
	}
	return ended
}

var errCut = errors.New("the stream was cut")

// read reads until the end event, or until it cuts the stream itself; it gives the id of the last frame.
func (e *exactness) read(id, last string, tally *lines.Tally, cut <-chan time.Time) (string, error) {
	s, err := e.st.openAfter(id, last)
	if err != nil {
		return last, err
	}
	defer s.Close()
	var wasCut atomic.Bool
	over := make(chan struct{})
	defer close(over)
	if cut != nil {
		go func() {
			select {
			case <-cut:
				wasCut.Store(true)
				e.cuts.Add(1)
				s.Close()
			case <-over:
			}
		}()
	}
	frames := wire.NewFrames(s)
	for {
		f, err := frames.Next()
		if wasCut.Load() {
			return last, errCut // what came with the cut is asked for again
		}
		if err != nil {
			return last, err
		}
		tally.Feed(f.Data, nil)
		if f.ID != nil {
			last = string(f.ID)
		}
		if execution.EventType(f.Event) == execution.EventEnd {
			return last, nil
		}
	}
}

// onSocket reads the WebSocket, which the server closes after the end.
func (e *exactness) onSocket(_ context.Context, id string, tally *lines.Tally) error {
	s, err := wire.OpenSocket(e.st.url+"/execute/ws/"+id, e.st.header)
	if err != nil {
		return err
	}
	defer s.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := s.Read(buf)
		tally.Feed(buf[:n], nil)
		if errors.Is(err, io.EOF) && s.ClosedWith == 1000 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("closed with %d: %w", s.ClosedWith, err)
		}
	}
}

// judge compares what was seen with what is stored, and that with what was run.
func (e *exactness) judge(name string) error {
	var wrong, expected, lost, killed, completed int
	for i, id := range e.ids {
		n, status, err := e.stored(id)
		if err != nil {
			return err
		}
		began, err := os.ReadFile(e.starts(i))
		if err != nil {
			return err
		}
		whole := status == execution.Completed
		switch {
		case strings.Count(string(began), "\n") != 1, !status.Terminal(), whole && n != e.size.exactLines:
			lost++
		case whole:
			completed++
		default:
			killed++
		}
		for _, tally := range e.seen[i] {
			wrong += tally.Wrong(n)
			expected += n
		}
	}
	e.set(name, "wrong", float64(wrong))
	e.set(name, "lines", float64(expected))
	e.set(name, "cuts", float64(e.cuts.Load()))
	e.set(name, "lost", float64(lost))
	e.set(name, "killed", float64(killed))
	e.set(name, "completed", float64(completed))
	if killed == 0 || completed == 0 || e.cuts.Load() == 0 {
		return fmt.Errorf("nothing was tried: %d ended by the kill, %d completed, %d cuts", killed, completed, e.cuts.Load())
	}
	return nil
}

// stored is how many lines of an execution are kept, in order, and how it ended.
func (e *exactness) stored(id string) (int, execution.Status, error) {
	answer, err := e.st.ours.get("/execute/status/" + id)
	if err != nil {
		return 0, "", err
	}
	var x api.Execution
	if err := json.Unmarshal(answer, &x); err != nil {
		return 0, "", err
	}
	text, err := e.st.ours.output(id)
	if err != nil {
		return 0, "", err
	}
	var tally lines.Tally
	tally.Feed(text, nil)
	if bad := tally.Wrong(tally.Seen); bad > 0 {
		return 0, "", fmt.Errorf("the stored log of %s has %d lines lost, doubled or reordered", id, bad)
	}
	return tally.Seen, x.Status, nil
}
