package faults

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// chaos is one run of everything at random. The seed fixes which faults come,
// in which order, at whom and for how long; what they meet is the scheduler's.
type chaos struct {
	*system
	began  time.Time
	faults *rand.Rand // of the one goroutine that chooses faults
	load   *rand.Rand // of the one goroutine that starts executions
	calls  map[string]func([]byte) bool
	busy   map[string]*sync.Mutex // per process, and one for Redis: one fault at a time

	mu     sync.Mutex // guards below
	caused []occurrence
}

// occurrence is one fault that was caused.
type occurrence struct {
	name       string
	begin, end time.Time
}

func TestChaos(t *testing.T) {
	if os.Getenv("LONGHAUL_CHAOS") == "" {
		t.Skip("make chaos runs it")
	}
	length, err := time.ParseDuration(cmp.Or(os.Getenv("DURATION"), "60s"))
	if err != nil {
		t.Fatalf("DURATION: %v", err)
	}
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("SEED"), strconv.FormatInt(time.Now().Unix(), 10)), 10, 64)
	if err != nil {
		t.Fatalf("SEED: %v", err)
	}
	fmt.Printf("chaos: SEED=%d DURATION=%v\n", seed, length)
	defer func() {
		if t.Failed() {
			fmt.Printf("chaos: FAILED; to replay it: make chaos DURATION=%v SEED=%d\n", length, seed)
		}
	}()
	c := &chaos{
		// Small budgets, so that logs are sealed and moved all the time.
		system: newSystem(t, "MAX_CONCURRENT=6", "LOG_REDIS_BYTES=64KiB", "LOG_HOT_TTL=20s"),
		began:  time.Now(), busy: map[string]*sync.Mutex{"redis": {}, "store": {}}, calls: map[string]func([]byte) bool{},
		faults: rand.New(rand.NewPCG(seed, 1)), load: rand.New(rand.NewPCG(seed, 2)),
	}
	c.mayOverlap = true // of requeued executions only, while a worker is out of reach
	for _, p := range c.procs() {
		c.busy[p.name] = &sync.Mutex{}
	}
	for _, name := range []string{"create", "claim", "append", "settle", "renew", "cancel", "redispatch"} {
		c.calls[name] = calling(t, name)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { c.steadyLoad(stop, &wg) })
	c.causeFaults(length)
	close(stop)
	wg.Wait()
	fmt.Printf("chaos: %d faults caused; all is healed, and everything must come to its end\n", len(c.caused))
	sum := c.check(2 * time.Minute)
	c.table(sum)
}

// steadyLoad starts executions of all kinds, cancels some, and subscribes to some again.
func (c *chaos) steadyLoad(stop <-chan struct{}, wg *sync.WaitGroup) {
	kinds := [][]string{
		{"-lines", "5"},
		{"-lines", "60", "-pause", "50ms", "-both"},
		{"-lines", "100", "-pause", "80ms"},
		{"-lines", "2000", "-pause", "1ms", "-size", "1000"},
		{"-lines", "4000", "-size", "500"},
		{"-lines", "20", "-pause", "100ms", "-exit", "3", "-children", "2"},
		{"-lines", "-1", "-pause", "50ms", "-both"},
		{"-lines", "-1", "-pause", "20ms", "-ignore-term"},
		{"-lines", "-1", "-pause", "20ms", "-die-at-term"},
	}
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(200+c.load.Int64N(400)) * time.Millisecond):
		}
		kind := c.load.IntN(len(kinds))
		r := engine(kinds[kind]...)
		if c.load.IntN(2) == 0 {
			r = requeued(kinds[kind]...)
		}
		endless := kind >= 6
		if endless {
			r.TimeoutSeconds = 5 + c.load.Int64N(10)
		}
		cancelAfter := time.Duration(0)
		if c.load.IntN(4) == 0 {
			cancelAfter = time.Duration(c.load.Int64N(int64(6 * time.Second)))
		}
		again := c.load.IntN(4) == 0
		if c.unfinished() > 30 {
			continue
		}
		wg.Go(func() { c.one(r, cancelAfter, again) })
	}
}

func (c *chaos) unfinished() (n int) {
	c.system.mu.Lock()
	defer c.system.mu.Unlock()
	for _, st := range c.stories {
		if st.final == nil {
			n++
		}
	}
	return n
}

// one is a client of one execution.
func (c *chaos) one(r startRequest, cancelAfter time.Duration, again bool) {
	id, err := c.try(r)
	if execution.CodeOf(err) == execution.StorageFull {
		return // that is what a full Redis has to say
	}
	if err != nil {
		c.t.Errorf("start: %v", err)
		return
	}
	if again {
		c.follow(id, "from where another was", c.seenCursor(id), c.client)
	}
	if cancelAfter == 0 {
		return
	}
	outage(cancelAfter)
	// Nobody can take it while Redis is away, which may be for 40 s, and again and again.
	if !comes(patience(), func() bool {
		_, err = c.client.Cancel(c.ctx, id, 10*time.Second)
		return err == nil || execution.CodeOf(err) == execution.Conflict
	}) {
		c.t.Errorf("%s could not be cancelled for %v: %v", id, patience(), err)
	}
}

// causeFaults chooses one fault after the other. Two may be in force at once.
func (c *chaos) causeFaults(length time.Duration) {
	catalog := c.catalog(length)
	slots := make(chan struct{}, 2)
	var wg sync.WaitGroup
	for n := 1; time.Since(c.began) < length; n++ {
		f := catalog[c.faults.IntN(len(catalog))]
		target, p := f.at, (*proc)(nil)
		switch f.at {
		case "worker":
			p = c.workers[c.faults.IntN(len(c.workers))]
		case "api":
			p = c.apis[c.faults.IntN(len(c.apis))]
		}
		if p != nil {
			target = p.name
		}
		d := time.Duration(0)
		if f.most > 0 {
			d = f.least + time.Duration(c.faults.Int64N(int64(f.most-f.least)))
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if one := c.busy[target]; one != nil {
				one.Lock()
				defer one.Unlock()
			}
			begin := time.Now()
			fmt.Printf("chaos: %7.1fs  fault %d: %s at %s for %v\n", time.Since(c.began).Seconds(), n, f.name, target, d.Round(time.Millisecond))
			f.cause(p, d)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.caused = append(c.caused, occurrence{f.name, begin, time.Now()})
		})
		outage(time.Duration(500+c.faults.Int64N(2500)) * time.Millisecond)
	}
	wg.Wait()
}

// table is the run in numbers, per fault over the executions that lived through it.
func (c *chaos) table(sum totals) {
	times, per := map[string]int{}, map[string]*totals{}
	touched := map[string]map[execution.ID]bool{}
	for _, o := range c.caused {
		times[o.name]++
		if per[o.name] == nil {
			per[o.name], touched[o.name] = &totals{}, map[execution.ID]bool{}
		}
		for _, st := range c.all() {
			if st.accepted.Before(o.end) && st.ended.After(o.begin) && !touched[o.name][st.id] {
				touched[o.name][st.id] = true
				per[o.name].add(st.found)
			}
		}
	}
	names := make([]string, 0, len(per))
	for name := range per {
		names = append(names, name)
	}
	slices.Sort(names)
	row := func(name string, times int, t totals) {
		fmt.Printf("| %-36s | %5d | %10d | %11d | %4d | %7d | %14s |\n", name, times, t.executions, t.bytes, t.lost, t.doubled, t.longest.Round(100*time.Millisecond))
	}
	fmt.Printf("| %-36s | times | executions | bytes       | lost | doubled | longest to end |\n", "fault")
	fmt.Println("|--------------------------------------|-------|------------|-------------|------|---------|----------------|")
	for _, name := range names {
		row(name, times[name], *per[name])
	}
	row("all", len(c.caused), sum)
	ends := map[string]int{}
	for _, st := range c.all() {
		if st.final != nil {
			ends[string(st.final.Status)+" "+string(value(st.final.Reason))]++
		}
	}
	fmt.Printf("chaos: ends: %v\n", ends)
	segments, _ := filepath.Glob(filepath.Join(c.dir, "outputs", ".internal", "*", "log", "*"))
	fmt.Printf("chaos: %d segments of logs are in the artifact store\n", len(segments))
	fmt.Printf("chaos: %d requeued attempts began while the engine of a worker out of reach still lived\n", sum.overlaps)
}
