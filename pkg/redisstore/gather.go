package redisstore

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Gather makes a client send the scripts that run at the same time together:
// what gathers while one pipeline is on its way goes out as the next. A round
// trip and its system calls, on both sides, are then shared by all callers, and
// nobody waits for a timer. Alone, a script goes out at once and by itself.
//
// It is for a client whose other hooks need not see each script: a pipeline
// passes them by.
func Gather(rdb redis.UniversalClient) { rdb.AddHook(&gather{rdb: rdb}) }

const (
	// gatherMost bounds the bytes of a script that shares a pipeline: a batch of
	// log would only hold up the others.
	gatherMost = 8 << 10
	// gatherCommands bounds a pipeline: Redis serves nobody else meanwhile.
	gatherCommands = 128
	// gatherPatience is how old a pipeline on its way may be for others to wait
	// for it: a connection that hangs holds up nobody else.
	gatherPatience = 250 * time.Millisecond
)

type gather struct {
	rdb redis.UniversalClient

	mu      sync.Mutex // guards the fields below
	waiting []*gathered
	since   time.Time // when the pipeline on its way was sent; zero: none is
}

// gathered is one caller's script.
type gathered struct {
	ctx  context.Context
	cmd  *redis.Cmd
	args []any // its own: a caller who gives up uses his bytes for something else
	done chan struct{}
	val  any
	err  error
}

// ProcessHook implements redis.Hook.
func (g *gather) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		script, ok := cmd.(*redis.Cmd)
		if !ok || cmd.Name() != "evalsha" || !small(cmd.Args()) {
			return next(ctx, cmd)
		}
		wait, first := g.enter(ctx, script)
		switch {
		case wait != nil:
			return g.result(ctx, wait, next)
		case first:
			defer g.leave()
		}
		return next(ctx, cmd)
	}
}

// enter finds out whether a script is to wait for the next pipeline. One that
// is not goes by itself; the first such one must leave when it is back.
func (g *gather) enter(ctx context.Context, cmd *redis.Cmd) (wait *gathered, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.since.IsZero():
		g.since = time.Now()
		return nil, true
	case time.Since(g.since) > gatherPatience:
		return nil, false
	}
	wait = &gathered{ctx: ctx, cmd: cmd, args: owned(cmd.Args()), done: make(chan struct{})}
	g.waiting = append(g.waiting, wait)
	return wait, false
}

// leave sends what has gathered meanwhile, for as long as there is some.
func (g *gather) leave() {
	if batch := g.take(); len(batch) > 0 {
		go func() {
			for ; len(batch) > 0; batch = g.take() {
				g.send(batch)
			}
		}()
	}
}

func (g *gather) take() []*gathered {
	g.mu.Lock()
	defer g.mu.Unlock()
	batch := g.waiting
	if len(batch) > gatherCommands {
		batch = batch[:gatherCommands:gatherCommands]
	}
	g.waiting = g.waiting[len(batch):]
	g.since = time.Time{}
	if len(batch) > 0 {
		g.since = time.Now()
	}
	return batch
}

// send runs one pipeline. It uses commands of its own: a caller whose context
// ends goes on with his, while this one may still be answered.
func (g *gather) send(batch []*gathered) {
	batch = slices.DeleteFunc(batch, func(one *gathered) bool { return one.ctx.Err() != nil })
	if len(batch) == 0 {
		return
	}
	pipe := g.rdb.Pipeline()
	// Each caller's context bounds his own wait; the client's timeouts bound this.
	ctx := context.WithoutCancel(batch[0].ctx)
	cmds := make([]*redis.Cmd, len(batch))
	for i, one := range batch {
		cmds[i] = pipe.Do(ctx, one.args...)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, one := range batch {
		one.val, one.err = cmds[i].Val(), cmds[i].Err()
		close(one.done)
	}
}

// result waits for the answer. A script that waits for a pipeline that hangs goes
// by itself after all.
func (g *gather) result(ctx context.Context, w *gathered, next redis.ProcessHook) error {
	patience := time.NewTimer(gatherPatience)
	defer patience.Stop()
	for {
		select {
		case <-w.done:
			return w.answer()
		case <-ctx.Done():
			w.cmd.SetErr(ctx.Err())
			return ctx.Err()
		case <-patience.C:
			if g.withdraw(w) {
				return next(ctx, w.cmd)
			}
			patience.Reset(gatherPatience)
		}
	}
}

func (w *gathered) answer() error {
	if w.err != nil {
		w.cmd.SetErr(w.err)
		return w.err
	}
	w.cmd.SetVal(w.val)
	return nil
}

// withdraw takes back a script that waits for a pipeline that hangs.
func (g *gather) withdraw(w *gathered) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, w)
	if i < 0 || time.Since(g.since) <= gatherPatience {
		return false
	}
	g.waiting = slices.Concat(g.waiting[:i], g.waiting[i+1:]) // a new one: a part of the old may be on its way
	return true
}

// owned gives arguments that stay as they are.
func owned(args []any) []any {
	all := slices.Clone(args)
	for i, a := range all {
		if b, ok := a.([]byte); ok {
			all[i] = bytes.Clone(b)
		}
	}
	return all
}

func small(args []any) bool {
	n := 0
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case []byte:
			n += len(a)
		}
	}
	return n <= gatherMost
}

// DialHook implements redis.Hook.
func (g *gather) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (g *gather) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
