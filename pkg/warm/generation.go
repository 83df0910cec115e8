package warm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longhaul/longhaul/pkg/engine"
	"github.com/longhaul/longhaul/pkg/process"
)

// generation is one launcher with all that it has forked. It is over when the last of that is gone.
type generation struct {
	*process.Template
	spec  *engine.Warm
	began time.Time
	units sync.WaitGroup // what was forked and is not gone
	tail  *tail
	said  chan struct{} // closed when nothing more can come of it

	once    sync.Once
	retired chan struct{}

	// Of the stock's run alone.
	forked   int
	resident int64
	mourned  bool
}

var generations atomic.Int64

// load starts a launcher and waits until it has imported. With an error, what it gives has ended, and may be nil.
func (k *Keeper) load(ctx context.Context, s *stock) (*generation, error) {
	w, err := k.catalog.Warm(s.name, k.o.Lookup)
	if err != nil {
		return nil, err
	}
	c := process.Command{
		// Its own, among those of other workers on this machine.
		ExecutionID: fmt.Sprintf("warm-%s-%d-%d", s.name, os.Getpid(), generations.Add(1)),
		Path:        w.Path, Args: append([]string(nil), w.Args...), Env: w.Env, Dir: w.Dir,
	}
	if w.Python {
		c.Args = append(c.Args, k.launcher())
	}
	if c.Dir == "" {
		c.Dir = k.dir
	}
	t, err := k.templates.StartTemplate(ctx, c, w.Task)
	if err != nil {
		return nil, err
	}
	g := &generation{Template: t, spec: w, began: time.Now(), tail: &tail{}, said: make(chan struct{}), retired: make(chan struct{})}
	var readers sync.WaitGroup
	for _, pipe := range []*os.File{t.Stdout(), t.Stderr()} {
		readers.Go(func() { _, _ = io.Copy(g.tail, pipe); _ = pipe.Close() })
	}
	go func() { readers.Wait(); close(g.said) }()
	limited, cancel := context.WithTimeoutCause(ctx, w.ImportTimeout, fmt.Errorf("the import takes longer than warm.import_timeout, %v", w.ImportTimeout))
	defer cancel()
	if err = t.Loaded(limited); err == nil {
		g.resident = resident(g.PID())
		if w.MaxMemory > 0 && g.resident > w.MaxMemory {
			err = fmt.Errorf("the import alone takes %d MiB, which is more than warm.max_memory", g.resident>>20)
		}
	}
	if err != nil {
		t.Retire()
		t.Terminate(0)
		<-t.Gone()
		<-g.said
		return g, err
	}
	k.ending.Go(func() {
		<-t.Exited()
		s.poke()
	})
	k.ending.Go(func() {
		<-g.retired
		g.units.Wait()
		t.Terminate(0)
		<-t.Gone()
		<-g.said
	})
	return g, nil
}

// retire lets the launcher go. Its executions, and what waits, live on.
func (g *generation) retire() {
	g.once.Do(func() {
		g.Retire()
		close(g.retired)
	})
}

// worn tells why the launcher is to be replaced; "" if it is not.
func (g *generation) worn() string {
	select {
	case <-g.Exited():
		return Lost
	case <-g.retired:
		return Lost
	default:
	}
	switch {
	case g.spec.MaxExecutions > 0 && g.forked >= g.spec.MaxExecutions:
		return Executions
	case g.spec.MaxMemory > 0 && g.resident > g.spec.MaxMemory:
		return Memory
	}
	return ""
}

// wordsPatience is how long the last words of a launcher that ends may be on their way. What it has forked may keep its pipes open.
const wordsPatience = 500 * time.Millisecond

// lastWords are what it printed last, at or near its end. They are for the log alone: they may tell of the worker's disk.
func (g *generation) lastWords() string {
	if g == nil {
		return ""
	}
	select {
	case <-g.said:
	case <-time.After(wordsPatience):
	}
	return g.tail.String()
}

// tail keeps the end of what is written to it.
type tail struct {
	mu    sync.Mutex
	bytes []byte
}

const tailBytes = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes = append(t.bytes, p...)
	if over := len(t.bytes) - tailBytes; over > 0 {
		t.bytes = append(t.bytes[:0], t.bytes[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(strings.TrimSpace(string(t.bytes)), "?")
}

// resident is a process's resident memory, as max_memory means it.
func resident(pid int) int64 { return rollup(pid, "Rss:") }

// proportional is its memory where each page that several processes share is counted in parts.
func proportional(pid int) int64 { return rollup(pid, "Pss:") }

// rollup reads a figure of /proc/<pid>/smaps_rollup; 0 if it cannot be had.
func rollup(pid int, name string) int64 {
	all, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(all) {
		if fields := bytes.Fields(line); len(fields) > 1 && string(fields[0]) == name {
			kib, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return kib << 10
		}
	}
	return 0
}
