package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// defaultIdleTimeout keeps a shim over the pauses of normal traffic; it costs a few MiB while it waits and a few ms to start again.
const defaultIdleTimeout = time.Minute

// PoolConfig says how many processes may run at a time and how long an unused shim is kept.
type PoolConfig struct {
	Slots       int           // at most so many processes at a time; 1 if less
	IdleTimeout time.Duration // one minute if 0
	Logger      *slog.Logger  // nothing is logged if nil
}

// Pool holds the shims: one per slot, started at first need.
type Pool struct {
	idleTimeout time.Duration
	log         *slog.Logger
	slots       chan struct{} // a token per running process; Start waits when it is full
	closing     chan struct{} // closed by Close
	empty       chan struct{} // closed when closing and the last shim's goroutine is done

	mu     sync.Mutex // guards the fields below
	closed bool
	idle   []*shim // last in, first out: so that in a quiet hour the surplus stays idle and is retired
	shims  map[*shim]struct{}
}

// NewPool makes a pool that has started nothing yet. Close it.
func NewPool(config PoolConfig) *Pool {
	p := &Pool{
		idleTimeout: config.IdleTimeout,
		log:         config.Logger,
		slots:       make(chan struct{}, max(config.Slots, 1)),
		closing:     make(chan struct{}),
		empty:       make(chan struct{}),
		shims:       make(map[*shim]struct{}),
	}
	if p.idleTimeout <= 0 {
		p.idleTimeout = defaultIdleTimeout
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p
}

// Start runs a command. It waits for a free slot as long as the context lives; the started process does not depend on the context.
// When it returns a *StartError, no process is left; any other error says that nothing was tried.
func (p *Pool) Start(ctx context.Context, c Command) (*Process, error) {
	if !mainCalled.Load() {
		return nil, errors.New("process.Main is not called first thing in main: a shim would run the whole program")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	process, err := p.start(ctx, c)
	if errors.Is(err, errNotReady) {
		c.Ready, c.Cold = nil, err.Error()
		process, err = p.start(ctx, c)
	}
	return process, err
}

func (p *Pool) start(ctx context.Context, c Command) (*Process, error) {
	path, err := c.lookup()
	if err != nil {
		return nil, &StartError{Op: "lookup", Path: c.Path, Err: err}
	}
	if err := p.acquire(ctx); err != nil {
		return nil, err
	}
	pipes, err := openPipes(c.Stdin, c.template)
	if err != nil {
		p.release()
		return nil, &StartError{Op: "pipe", Path: c.Path, Err: err}
	}
	process := &Process{
		command: c, path: path, pipes: pipes,
		started: make(chan error, 1), exited: make(chan struct{}), gone: make(chan struct{}), measured: make(chan Usage, 1),
	}
	if pipes.feed != nil {
		process.feeding.Go(func() { feedStdin(pipes.feed, c.Stdin) })
	}
	err = p.hand(process)
	if err != nil {
		p.release()
	} else {
		err = <-process.started // not the context: half a start would have to be undone, and it is a matter of milliseconds
	}
	if err != nil {
		pipes.close()
		process.feeding.Wait()
		return nil, err
	}
	return process, nil
}

// hand gives the process to a shim. An idle one may have died unnoticed; a new one that is dead as well is a reason to give up.
func (p *Pool) hand(process *Process) error {
	if r := process.command.Ready; r != nil {
		if process.warm = r.fits(&process.command) && r.shim.begin(process) == nil; process.warm {
			return nil
		}
		r.shim.kill()
		process.command.Cold = errNotReady.Error()
	}
	for {
		s, fresh, err := p.take()
		if err != nil {
			return err
		}
		if err = s.begin(process); err == nil {
			return nil
		}
		s.kill()
		if fresh {
			return &StartError{Op: "shim", Path: process.command.Path, Err: err}
		}
	}
}

// take gives the shim that was used last, or a new one.
func (p *Pool) take() (s *shim, fresh bool, err error) {
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		s = p.idle[last]
		p.idle = p.idle[:last]
	}
	p.mu.Unlock()
	if s != nil {
		return s, false, nil
	}
	s, err = newShim(p) // without the lock: it takes a fork
	if err != nil {
		return nil, false, &StartError{Op: "shim", Path: selfExe, Err: err}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		s.discard()
		return nil, false, ErrClosed
	}
	p.shims[s] = struct{}{}
	go s.run()
	return s, true, nil
}

// put takes a shim back whose last process is gone, and frees the slot.
func (p *Pool) put(s *shim) {
	s.setDeadline(p.idleTimeout)
	p.mu.Lock()
	if !p.closed {
		p.idle = append(p.idle, s)
	}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		s.retire()
	}
	p.release()
}

// unidle takes one shim out of the idle ones, and tells whether it was among them: then nobody else has it.
func (p *Pool) unidle(s *shim) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.idle {
		if other == s {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return true
		}
	}
	return false
}

// remove forgets a shim that is dead and reaped: the last thing its goroutine does.
func (p *Pool) remove(s *shim) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.shims, s)
	if p.closed && len(p.shims) == 0 {
		close(p.empty)
	}
}

func (p *Pool) acquire(ctx context.Context) error {
	if ctx.Err() == nil { // select picks any that is ready, and a slot may be
		select {
		case p.slots <- struct{}{}:
			return nil
		case <-ctx.Done():
		case <-p.closing:
			return ErrClosed
		}
	}
	return fmt.Errorf("wait for a process slot: %w", context.Cause(ctx))
}

func (p *Pool) release() { <-p.slots }
