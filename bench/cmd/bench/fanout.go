package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longhaul/longhaul/bench/lines"
	"github.com/longhaul/longhaul/bench/proc"
	"github.com/longhaul/longhaul/bench/stat"
	"github.com/longhaul/longhaul/bench/wire"
)

// fanout: one execution, and many who watch it; the engine does not wait for them.
// Longhaul by Server-Sent Events, and by WebSocket. At 100 lines a second who keeps
// pace is compared by what that costs. 5,000 are for what a system can deliver at
// most, so there the engine writes more than any can: at 100 a second it is the
// engine that limits the rate.
var (
	fanout100  = fanout(100, 400, 100)
	fanout1000 = fanout(1000, 400, 100)
	fanout5000 = fanout(5000, 400, 400)
)

// fanout is n lines, so many a second.
func fanout(subscribers, n, perSecond int) *scenario {
	return &scenario{
		name: "fanout-" + strconv.Itoa(subscribers), what: fmt.Sprintf("%d lines at %d/s to %s subscribers", n, perSecond, thousands(float64(subscribers))),
		peers: []string{"mercure"},
		columns: []column{
			{"delivered", "delivered"},
			{"expected", "of"},
			{"wrong", "lost, doubled, reordered"},
			{"pace", "time over that of the engine"},
			{"rate", "deliveries/s"},
			{"p50", "p50 ms"},
			{"p99", "p99 ms"},
			{"cpu", "CPU µs per delivery, all and Redis"},
			{"kb", "API KB per subscriber"},
		},
		limits: func(_ context.Context, r *round) error { // nobody delivers what is not written yet
			r.set("limit", "pace", 1)
			r.set("limit", "rate", float64(perSecond*subscribers))
			return nil
		},
		run: func(ctx context.Context, r *round, c contestant) error {
			err := r.with(ctx, c, startOptions{}, func(st *stack) error {
				return r.fanOut(ctx, st, c.name, subscribers, n, perSecond, func(id string) (wire.Source, error) { return st.open(id) })
			})
			if err != nil || c.name != "longhaul" {
				return err
			}
			return r.with(ctx, c, startOptions{}, func(st *stack) error {
				return r.fanOut(ctx, st, c.name+"-ws", subscribers, n, perSecond, st.openSocket)
			})
		},
	}
}

func (r *round) fanOut(ctx context.Context, st *stack, name string, subscribers, n, perSecond int, open func(id string) (wire.Source, error)) error {
	id, start, err := st.postWaiting(r.session, "emit", "-l", strconv.Itoa(n), strconv.Itoa(1e6/perSecond))
	if err != nil {
		return err
	}
	rssBefore, err := proc.RSS(st.api[0])
	if err != nil {
		return err
	}
	a, err := gather(subscribers, func() (wire.Source, error) { return open(id) })
	defer a.leave()
	if err != nil {
		return err
	}
	cpuBefore, err := st.cpu()
	if err != nil {
		return err
	}
	peak := watchRSS(st.api[0])
	begin := time.Now()
	if err := start(); err != nil {
		return err
	}
	a.watch(n, 90*time.Second)
	took := time.Since(begin)
	cpuAfter, err := st.cpu()
	if err != nil {
		return err
	}
	most, err := peak()
	if err != nil {
		return err
	}
	delivered, expected := float64(a.delivered.N()), float64(subscribers*n)
	r.set(name, "delivered", delivered)
	r.set(name, "expected", expected)
	r.set(name, "wrong", float64(a.wrong.Load()))
	r.set(name, "pace", took.Seconds()/(float64(n)/float64(perSecond)))
	r.set(name, "rate", delivered/took.Seconds())
	r.setMS(name, "p50", a.delivered.Quantile(0.5))
	r.setMS(name, "p99", a.delivered.Quantile(0.99))
	r.set(name, "cpu", float64((cpuAfter-cpuBefore).Microseconds())/delivered)
	r.set(name, "kb", float64(most-rssBefore)/1e3/float64(subscribers))
	return ctx.Err()
}

// openSocket is Longhaul's other kind of stream.
func (s *stack) openSocket(id string) (wire.Source, error) {
	return wire.OpenSocket(s.url+"/execute/ws/"+id, s.header)
}

// audience are the subscribers of one execution.
type audience struct {
	seats     []wire.Source
	delivered stat.Histogram
	wrong     atomic.Int64
}

// gather lets all of them in, some at a time.
func gather(n int, open func() (wire.Source, error)) (*audience, error) {
	a := &audience{seats: make([]wire.Source, n)}
	err := parallel(n, 16, func(i int) error {
		s, err := open()
		if err == nil {
			a.seats[i] = s
		}
		return err
	})
	return a, err
}

func (a *audience) leave() {
	for _, s := range a.seats {
		if s != nil {
			s.Close()
		}
	}
}

// watch returns when each has seen n lines, or its stream has ended, or the time is over.
func (a *audience) watch(n int, most time.Duration) {
	late := time.AfterFunc(most, a.leave)
	defer late.Stop()
	var all sync.WaitGroup
	for _, s := range a.seats {
		all.Go(func() { a.wrong.Add(int64(a.follow(s, n))) })
	}
	all.Wait()
}

// follow gives how many lines did not come once and in order.
func (a *audience) follow(s wire.Source, n int) int {
	var tally lines.Tally
	buf := make([]byte, 8<<10)
	for tally.Seen < n {
		m, err := s.Read(buf)
		now := time.Now()
		tally.Feed(buf[:m], func(written time.Time) { a.delivered.Add(now.Sub(written)) })
		if err != nil {
			break // what is missing is counted
		}
	}
	return tally.Wrong(n)
}

// watchRSS looks at one process many times a second; what it gives ends that and tells the most.
func watchRSS(pid int) func() (int64, error) {
	stop, found := make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		for {
			if now, err := proc.RSS(pid); err == nil {
				most = max(most, now)
			}
			select {
			case <-stop:
				found <- most
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() (int64, error) {
		close(stop)
		most := <-found
		if most == 0 {
			return 0, errors.New("the process has gone")
		}
		return most, nil
	}
}
