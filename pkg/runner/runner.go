package runner

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/engine"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/logstream"
	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

// Store is what an attempt writes to: redisstore.
type Store interface {
	logstream.Sink
	Claim(ctx context.Context, id execution.ID, worker, token string) (redisstore.Claimed, error)
	Renew(ctx context.Context, leases []execution.Lease) ([]redisstore.Renewal, error)
	Settle(ctx context.Context, l execution.Lease, s redisstore.Settlement) (dispatch int, err error)
	Get(ctx context.Context, id execution.ID) (*execution.Record, error)
}

// Catalog turns a spec into what the worker starts: engine.
type Catalog interface {
	Launch(spec *execution.Spec, lookup func(string) (string, bool)) (*engine.Launch, error)
}

// Processes starts process trees: process.Pool.
type Processes interface {
	Start(ctx context.Context, c process.Command) (*process.Process, error)
}

// Tasks puts an execution back in line: queue.
type Tasks interface {
	Enqueue(ctx context.Context, tickets ...execution.Ticket) error
}

// Observer is told of what a worker does, for metrics. Its methods must not block.
type Observer interface {
	AttemptStarted(spec *execution.Spec, waited time.Duration)
	// AttemptEnded: o is the execution's end, or, requeued, why it goes back in line.
	AttemptEnded(spec *execution.Spec, o *execution.Outcome, ran time.Duration, requeued bool)
}

// Options of a Runner.
type Options struct {
	Worker         string        // name of this worker, as records show it
	Slots          int           // attempts at once: MAX_CONCURRENT
	Workdir        string        // where workdirs are made
	MinFree        int64         // WORKDIR_MIN_FREE: with fewer bytes on the disk nothing new is taken
	Grace          time.Duration // CANCEL_GRACE, where the catalog says nothing else
	DrainTimeout   time.Duration // from Drain to the platform's SIGKILL, less a margin
	RenewEvery     time.Duration // a third of the lease
	MetricsEvery   time.Duration // METRICS_INTERVAL; 0: no metrics events
	SpoolBytes     int64         // SPOOL_MAX_BYTES: output of one attempt on disk while Redis is away
	ArtifactLimits artifact.Limits
	// Checkpoints are kept apart from artifacts, which callers see, and so are the
	// files that requests bring. Nil: none are.
	Checkpoints     artifact.Store
	CheckpointEvery time.Duration               // CHECKPOINT_INTERVAL; 0: only when an engine was interrupted
	CheckpointBytes int64                       // CHECKPOINT_MAX_BYTES
	Lookup          func(string) (string, bool) // the worker's environment, for secrets
	Logger          *slog.Logger
	Observer        Observer
	Traces          *telemetry.Traces // nil: none
}

// Runner carries the attempts of one worker.
type Runner struct {
	o         Options
	store     Store
	catalog   Catalog
	processes Processes
	artifacts artifact.Store
	tasks     Tasks

	slots  chan struct{}
	drain  chan struct{} // closed by Drain
	saves  chan struct{} // one for each checkpoint that is being saved
	saveBy chan struct{} // closed when the rest of a drain is for settling alone
	giveUp chan struct{} // closed shortly before DrainTimeout: what is not in Redis by then stays on disk
	once   sync.Once
	disk   *disk
	room   room

	mu     sync.Mutex          // guards active
	active map[string]*attempt // by the lease's token: an execution may have an old attempt here that is not gone yet
}

// New makes a Runner, and its folder below Workdir. Close it.
func New(store Store, catalog Catalog, processes Processes, artifacts artifact.Store, tasks Tasks, o Options) (*Runner, error) {
	if o.RenewEvery <= 0 {
		o.RenewEvery = 4 * time.Second
	}
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	if o.SpoolBytes <= 0 {
		o.SpoolBytes = 256 << 20
	}
	if o.CheckpointBytes <= 0 {
		o.CheckpointBytes = 256 << 20
	}
	if o.Checkpoints == nil {
		none, err := artifact.Open("", artifact.Options{})
		if err != nil {
			return nil, err
		}
		o.Checkpoints = none
	}
	d, err := openDisk(o.Workdir)
	if err != nil {
		return nil, err
	}
	return &Runner{
		o: o, store: store, catalog: catalog, processes: processes, artifacts: artifacts, tasks: tasks,
		disk: d, room: room{dir: d.root, free: o.MinFree},
		slots: make(chan struct{}, o.Slots), drain: make(chan struct{}), giveUp: make(chan struct{}),
		saves: make(chan struct{}, savesAtOnce), saveBy: make(chan struct{}), active: map[string]*attempt{},
	}, nil
}

// Close gives the runner's folder back, once every Handle has returned. What
// could not be settled stays in it for the next process on this disk.
func (r *Runner) Close() error { return r.disk.close() }

// Folder is this process's own on the worker's disk. It is taken away by Close,
// or by the next process on this disk.
func (r *Runner) Folder() string { return r.disk.root }

// Run renews the leases of all attempts until ctx ends. Its context must
// outlive every Handle.
func (r *Runner) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.o.RenewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.renew(ctx)
		}
	}
}

// renew tells Redis that the attempts live, and hears what it wants of them. A
// failure is no reason to end anything: leases run on a clock that stands still
// while Redis is away.
func (r *Runner) renew(ctx context.Context) {
	r.mu.Lock()
	attempts := make([]*attempt, 0, len(r.active))
	leases := make([]execution.Lease, 0, len(r.active))
	for _, a := range r.active {
		attempts = append(attempts, a)
		leases = append(leases, a.lease)
	}
	r.mu.Unlock()
	if len(leases) == 0 {
		return
	}
	answers, err := r.store.Renew(ctx, leases)
	if err != nil && ctx.Err() == nil {
		r.o.Logger.WarnContext(ctx, "leases not renewed; trying again", "attempts", len(leases), "error", err)
	}
	for i, answer := range answers {
		switch {
		case answer.Fenced:
			attempts[i].stop(causeFenced)
		case answer.Kill:
			attempts[i].stop(causeKill)
		case answer.Cancel:
			attempts[i].stop(causeCancel)
		}
	}
}

// Cancel ends the attempt of id if this worker has it. The cancel itself is
// stored in the record; this only makes it quick. To kill is to cancel without a grace.
func (r *Runner) Cancel(id execution.ID, kill bool) {
	why := causeCancel
	if kill {
		why = causeKill
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.active {
		if a.lease.ID == id {
			a.stop(why)
		}
	}
}

// Drain makes Handle take nothing new and gives what runs as much of
// DrainTimeout as ending it properly leaves; then engines are interrupted. It
// returns at once: the drain is over when every Handle has returned.
func (r *Runner) Drain() {
	r.once.Do(func() {
		close(r.drain)
		time.AfterFunc(max(saveLeast, r.o.DrainTimeout-settleMargin), func() { close(r.saveBy) })
		time.AfterFunc(max(settleLeast, r.o.DrainTimeout-saveMargin), func() { close(r.giveUp) })
	})
}

// Active counts the attempts that run.
func (r *Runner) Active() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.active)
}

// Stats are a runner's counts at one moment.
type Stats struct {
	Slots, Busy int
	Draining    bool
	SpoolBytes  int64 // of log on disk, that Redis has not taken yet
}

// Stats may be called at any time.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{Slots: r.o.Slots, Busy: len(r.active)}
	for _, a := range r.active {
		if kept := a.kept.Load(); kept != nil {
			s.SpoolBytes += kept.Held()
		}
	}
	select {
	case <-r.drain:
		s.Draining = true
	default:
	}
	return s
}

// enter takes an attempt up. An older one of the same execution that is still
// here has lost its lease, or there would be no newer: it is ended first, so
// that never two engines of one execution run.
func (r *Runner) enter(a *attempt) {
	r.mu.Lock()
	var older []*attempt
	for _, other := range r.active {
		if other.lease.ID == a.lease.ID {
			other.stop(causeFenced)
			older = append(older, other)
		}
	}
	r.active[a.lease.Token] = a
	r.mu.Unlock()
	for _, other := range older {
		<-other.left
	}
}

func (r *Runner) leave(a *attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.active, a.lease.Token)
	close(a.left)
}

type nobody struct{}

func (nobody) AttemptStarted(*execution.Spec, time.Duration)                         {}
func (nobody) AttemptEnded(*execution.Spec, *execution.Outcome, time.Duration, bool) {}
func (nobody) ExecutionEnded(*execution.Spec, *execution.Outcome)                    {}
func (nobody) Reaped(string)                                                         {}
func (nobody) Round()                                                                {}
