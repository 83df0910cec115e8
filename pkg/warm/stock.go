package warm

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/process"
)

const (
	// firstPause and longestPause are between two tries of a launcher that fails: each may be minutes of import.
	firstPause, longestPause = time.Second, 5 * time.Minute
	// provedAfter is how long a launcher must live for its loss to be an accident and not its way.
	provedAfter = time.Minute
	// lookEvery is how often memory is looked at.
	lookEvery = 10 * time.Second
	// forkPatience bounds one fork, on a very busy machine; it takes some milliseconds.
	forkPatience = 30 * time.Second
)

// stock is what is ready of one engine. Its run is the only one that adds to it.
type stock struct {
	k      *Keeper
	name   string
	log    *slog.Logger
	wake   chan struct{} // something has changed; buffered by one
	loaded chan loaded   // a launcher that was being started; buffered by one

	// Of run alone.
	loading string        // why a launcher is being started; "" if none is
	pause   time.Duration // after the next failure
	notYet  time.Time     // nothing is started before
	wrong   time.Time     // since when no launcher could be had; zero: all is well
	looked  time.Time     // at the memory

	mu      sync.Mutex // guards what follows
	why     string     // why nothing is ready, for whoever finds none
	env     map[string]string
	current *generation
	ready   []*process.Ready // the oldest first; of earlier launchers too
	died    bool             // one of them did, unused
	bytes   int64            // what all of it takes
}

// loaded is what came of starting a launcher.
type loaded struct {
	g   *generation
	err error
}

// first is why the first launcher is started.
const first = "first"

func (s *stock) run(ctx context.Context) {
	defer s.stop()
	for {
		timer := time.NewTimer(s.tend(ctx))
		select {
		case <-ctx.Done():
		case l := <-s.loaded:
			s.takeOver(l)
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// tend does what is due, and tells when to look again.
func (s *stock) tend(ctx context.Context) time.Duration {
	s.mu.Lock()
	g, died := s.current, s.died
	s.died = false
	s.mu.Unlock()
	now := time.Now()
	if died { // somebody kills them, or they cannot live: not in a circle
		s.notYet = later(s.notYet, now.Add(firstPause))
	}
	worn := first
	if g != nil {
		if worn = g.worn(); worn == Lost && !g.mourned {
			g.mourned = true
			s.lost(g)
		}
	}
	defer s.look(g, now)
	if wait := s.notYet.Sub(now); wait > 0 {
		return min(wait, lookEvery)
	}
	if worn != "" && s.loading == "" {
		s.loading = worn
		s.k.ending.Go(func() {
			next, err := s.k.load(ctx, s)
			s.loaded <- loaded{next, err}
		})
	}
	for g != nil && worn != Lost && ctx.Err() == nil && s.short(g) {
		if err := s.fork(ctx, g); err != nil {
			g.retire()
			break
		}
	}
	if g != nil && time.Since(g.began) > provedAfter {
		s.pause = 0
	}
	return lookEvery
}

// takeOver makes a launcher the current one. What the last one forked is used up first.
func (s *stock) takeOver(l loaded) {
	why := s.loading
	s.loading = ""
	if l.err != nil {
		s.failed(l.err, l.g.lastWords())
		return
	}
	if !s.wrong.IsZero() {
		s.log.Info("engine is kept warm again", "after", time.Since(s.wrong).Round(time.Millisecond))
		s.wrong = time.Time{}
	}
	s.mu.Lock()
	old := s.current
	s.current, s.env, s.why = l.g, variables(l.g.spec.Env), "all that were ready are in use"
	s.mu.Unlock()
	s.looked = time.Time{}
	if old == nil {
		s.log.Info("engine is kept warm", "processes", l.g.spec.Processes, "import", time.Since(l.g.began).Round(time.Millisecond))
	}
	if old != nil {
		old.retire()
		s.log.Debug("launcher replaced", "why", why, "pid", l.g.PID())
		s.k.observe(func(o Observer) { o.WarmRecycled(s.name, why) })
	}
}

// failed is told once, until a launcher is ready again; an error that changes meanwhile is for executions' own events.
func (s *stock) failed(err error, lastWords string) {
	s.pause = min(max(2*s.pause, firstPause), longestPause)
	s.notYet = time.Now().Add(s.pause)
	s.mu.Lock()
	s.why = "its launcher fails: " + err.Error()
	s.mu.Unlock()
	if s.wrong.IsZero() {
		s.wrong = time.Now()
		s.log.Warn("engine cannot be kept warm, and is started cold", "error", err, "last_lines", lastWords, "next_try", s.pause)
	}
}

// lost is told of a launcher that ended by itself, or cannot fork any more.
func (s *stock) lost(g *generation) {
	s.log.Warn("launcher was lost: starting another one", "pid", g.PID(), "lived", time.Since(g.began).Round(time.Millisecond), "last_lines", g.lastWords())
	if time.Since(g.began) < provedAfter {
		s.pause = min(max(2*s.pause, firstPause), longestPause)
		s.notYet = time.Now().Add(s.pause)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = "its launcher was lost, and another one is not ready yet"
}

// short tells whether one more is to be forked.
func (s *stock) short(g *generation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ready) < g.spec.Processes && (g.spec.MaxExecutions == 0 || g.forked < g.spec.MaxExecutions)
}

func (s *stock) fork(ctx context.Context, g *generation) error {
	limited, cancel := context.WithTimeout(ctx, forkPatience)
	defer cancel()
	r, err := g.Fork(limited, s.k.pool)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("launcher did not fork", "pid", g.PID(), "error", err, "last_lines", g.lastWords())
		}
		return err
	}
	g.forked++
	g.units.Add(1)
	s.mu.Lock()
	s.ready = append(s.ready, r)
	s.mu.Unlock()
	s.k.ending.Go(func() {
		defer g.units.Done()
		<-r.Gone()
		s.gone(r)
	})
	return nil
}

// gone takes out a process that died while it waited. One that was used is not there any more.
func (s *stock) gone(r *process.Ready) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.ready {
		if other == r {
			s.ready = append(s.ready[:i:i], s.ready[i+1:]...)
			s.died = true
			s.poke()
		}
	}
}

// take gives the process that has waited longest, or says why there is none.
func (s *stock) take() (*process.Ready, string) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 {
		return nil, s.why
	}
	r := s.ready[0]
	s.ready = s.ready[1:]
	s.poke()
	return r, ""
}

func (s *stock) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// differs names a variable by which the execution asks for another interpreter than the one that is ready.
func (s *stock) differs(env []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.env == nil {
		return ""
	}
	asked := variables(env)
	for _, one := range []map[string]string{s.env, asked} {
		for name := range one {
			if was, ok := s.env[name]; ofInterpreter(name) && (ok != has(asked, name) || was != asked[name]) {
				return "the execution sets " + name + " otherwise than the catalog"
			}
		}
	}
	return ""
}

// ofInterpreter knows the variables that are read once, when a program starts.
func ofInterpreter(name string) bool {
	for _, prefix := range []string{"PYTHON", "LD_", "LC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "LANG" || name == "TZ" || name == "GLIBC_TUNABLES"
}

func variables(env []string) map[string]string {
	all := make(map[string]string, len(env))
	for _, entry := range env {
		if name, value, ok := strings.Cut(entry, "="); ok {
			all[name] = value
		}
	}
	return all
}

func has(m map[string]string, name string) bool { _, ok := m[name]; return ok }

// look measures now and then, and tells what there is.
func (s *stock) look(g *generation, now time.Time) {
	s.mu.Lock()
	ready := slices.Clone(s.ready)
	s.mu.Unlock()
	if now.Sub(s.looked) < lookEvery {
		s.tell()
		return
	}
	s.looked = now
	var bytes int64
	if g != nil {
		bytes = proportional(g.PID())
		g.resident = resident(g.PID())
	}
	for _, r := range ready {
		bytes += proportional(r.PID())
	}
	s.mu.Lock()
	s.bytes = bytes
	s.mu.Unlock()
	s.tell()
}

// tell has the metrics show what there is.
func (s *stock) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.k.observe(func(o Observer) { o.WarmStock(s.name, len(s.ready), s.bytes) })
}

// stop gives up what waits. Executions that run go on.
func (s *stock) stop() {
	if s.loading != "" {
		if l := <-s.loaded; l.err == nil {
			l.g.retire()
		}
	}
	s.mu.Lock()
	ready, g := s.ready, s.current
	s.ready, s.current, s.bytes, s.why = nil, nil, 0, "the worker is told to stop"
	s.mu.Unlock()
	for _, r := range ready {
		r.Discard()
	}
	if g != nil {
		g.retire()
	}
	s.tell()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
