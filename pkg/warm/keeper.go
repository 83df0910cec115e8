package warm

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/longhaul/longhaul/pkg/engine"
	"github.com/longhaul/longhaul/pkg/process"
)

//go:embed launcher.py
var launcher []byte

// Catalog says which engines are kept warm, and how: engine.
type Catalog interface {
	WarmEngines() []string
	Warm(name string, lookup func(string) (string, bool)) (*engine.Warm, error)
}

// Observer is told of what is kept, for metrics. Its methods must not block.
type Observer interface {
	WarmStock(engine string, ready int, bytes int64) // what waits now, and the memory that it and its launcher take
	WarmStart(engine, how string)                    // one of Warm, Cold, Fallback
	WarmRecycled(engine, why string)                 // one of Executions, Memory, Lost
}

// How an execution of an engine with the key warm was started.
const (
	Warm     = "warm"
	Cold     = "cold"     // since it asks for what the launcher was not started with
	Fallback = "fallback" // since nothing was ready
)

// Why a launcher was replaced.
const (
	Executions = "executions"
	Memory     = "memory"
	Lost       = "lost"
)

// Options of a Keeper.
type Options struct {
	Lookup   func(string) (string, bool) // the worker's environment
	Logger   *slog.Logger
	Observer Observer
}

// Keeper starts processes, warm where it can.
type Keeper struct {
	o         Options
	dir       string // of this worker alone, with the launcher's file; set by Run
	catalog   Catalog
	pool      *process.Pool // where executions run
	templates *process.Pool // where launchers do: they take no slot from executions
	stocks    map[string]*stock
	ending    sync.WaitGroup // what outlives Run, up to Close
}

// templateSlots is more than there can be: a launcher is gone soon after the last execution that it forked.
const templateSlots = 1 << 16

// New makes a Keeper that has nothing ready yet. Close it.
func New(catalog Catalog, pool *process.Pool, o Options) *Keeper {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{o: o, catalog: catalog, pool: pool, stocks: map[string]*stock{}}
	k.templates = process.NewPool(process.PoolConfig{Slots: templateSlots, Logger: o.Logger})
	for _, name := range catalog.WarmEngines() {
		k.stocks[name] = &stock{
			k: k, name: name, log: o.Logger.With("engine", name), why: "its launcher is not ready yet",
			wake: make(chan struct{}, 1), loaded: make(chan loaded, 1),
		}
	}
	return k
}

func (k *Keeper) launcher() string { return filepath.Join(k.dir, "launcher.py") }

// Run keeps the stocks until ctx ends, with the launcher's file in a folder of its own below dir, which is this worker's alone. Nothing waits
// for it: until something is ready, engines are started cold.
func (k *Keeper) Run(ctx context.Context, dir string) error {
	if len(k.stocks) == 0 {
		return nil
	}
	k.dir = filepath.Join(dir, "warm")
	if err := os.Mkdir(k.dir, 0o700); err != nil {
		return fmt.Errorf("engines are not kept warm: %w", err)
	}
	if err := os.WriteFile(k.launcher(), launcher, 0o600); err != nil {
		return fmt.Errorf("engines are not kept warm: %w", err)
	}
	var all sync.WaitGroup
	for _, s := range k.stocks {
		all.Go(func() { s.run(ctx) })
	}
	all.Wait()
	return nil
}

// Start runs a command: c.Warm is the engine's name, if it is one that is kept warm.
func (k *Keeper) Start(ctx context.Context, c process.Command) (*process.Process, error) {
	s := k.stocks[c.Warm]
	if s == nil {
		return k.pool.Start(ctx, c)
	}
	how := Fallback
	if c.Cold = s.differs(c.Env); c.Cold != "" {
		how = Cold
	} else {
		c.Ready, c.Cold = s.take()
	}
	p, err := k.pool.Start(ctx, c)
	if err != nil {
		if c.Ready != nil {
			c.Ready.Discard()
		}
		return nil, err
	}
	if p.Warm() {
		how = Warm
	}
	k.observe(func(o Observer) { o.WarmStart(s.name, how) })
	return p, nil
}

// Close ends every launcher and all that it forked, and waits for their end. Call it when Run has returned and the executions are over.
func (k *Keeper) Close(ctx context.Context) error {
	if err := k.templates.Close(ctx); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { k.ending.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the keeper of warm engines, which must not run any more: %w", context.Cause(ctx))
	}
}

func (k *Keeper) observe(tell func(Observer)) {
	if k.o.Observer != nil {
		tell(k.o.Observer)
	}
}
