package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/engine"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/runner"
	"github.com/longhaul/longhaul/pkg/telemetry"
	"github.com/longhaul/longhaul/pkg/webhook"
)

// parts are what API and worker both need.
type parts struct {
	cfg       *config.Config
	log       *slog.Logger
	rdb       redis.UniversalClient
	store     *redisstore.Store
	tasks     *queue.Queue
	catalog   *engine.Catalog
	artifacts artifact.Store
	internal  artifact.Store // the same place, for what is not among an execution's artifacts
	metrics   *telemetry.Metrics
	health    *health
	away      func() bool // Redis did not answer when it was asked last
	asynqLog  *slog.Logger
}

// open makes the parts. It connects to nothing: Redis may still be starting.
func open(cfg *config.Config, log *slog.Logger) (*parts, error) {
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	catalog, err := engine.Load(cfg.EnginesFile)
	if err != nil {
		return nil, err
	}
	files, err := openFiles(cfg, "")
	if err != nil {
		return nil, err
	}
	internal, err := openFiles(cfg, internalArea)
	if err != nil {
		return nil, err
	}
	var logs redisstore.Archive
	if cfg.Artifacts.URL != "" {
		logs = archive{internal}
	}
	rdb, err := redisstore.Dial(cfg.RedisURL)
	if err != nil {
		return nil, err
	}
	redisstore.Gather(rdb)
	p := &parts{
		cfg: cfg, rdb: rdb, tasks: queue.New(rdb), catalog: catalog, artifacts: files, internal: internal, metrics: telemetry.NewMetrics(Version()),
		store: redisstore.New(rdb, redisstore.Options{
			Partitions: cfg.Partitions, Retention: cfg.Retention, IdempotencyTTL: cfg.IdempotencyTTL,
			MaxQueue: int(cfg.MaxQueueSize), LogBytes: cfg.LogRedisBytes, LogHot: cfg.LogHotTTL, Archive: logs,
			FoldAfter: foldAfter(cfg.FoldAfter),
		}),
	}
	p.metrics.Collect(p.store.Stats)
	p.metrics.Engines(names(catalog))
	p.watch(log)
	return p, nil
}

// names are those of all engines and commands.
func names(c *engine.Catalog) []string {
	var all []string
	for _, d := range c.Public() {
		all = append(all, d.Name)
	}
	return all
}

// foldAfter is FOLD_AFTER as the store takes it.
func foldAfter(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// internalArea is where logs' segments, checkpoints and files of requests are: no id looks like it.
const internalArea = ".internal"

func openFiles(cfg *config.Config, area string) (artifact.Store, error) {
	a := cfg.Artifacts
	return artifact.Open(a.URL, artifact.Options{
		AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: a.SessionToken,
		Endpoint: a.Endpoint, Region: a.Region, Bucket: a.Bucket, Area: area, Sync: area == internalArea,
	})
}

// inputs is where files that requests bring are kept; nil where there is no store.
func (p *parts) inputs() artifact.Store {
	if p.cfg.Artifacts.URL == "" {
		return nil
	}
	return p.internal
}

// files are all that is kept of an execution outside Redis.
type files struct{ artifacts, internal artifact.Store }

// Delete implements runner.Files.
func (f files) Delete(ctx context.Context, id execution.ID) error {
	return errors.Join(f.artifacts.Delete(ctx, id), f.internal.Delete(ctx, id))
}

// watch sets health up, and gives the parts a log that an outage does not fill.
func (p *parts) watch(log *slog.Logger) {
	p.health = newHealth(log, p.metrics)
	server := p.health.addRedis(p.store)
	p.away = func() bool { return p.health.wrong(server) }
	line := calm{Handler: log.Handler(), health: p.health, redis: server}
	p.log = slog.New(line)
	line.all = true
	p.asynqLog = slog.New(line)
	if p.cfg.Artifacts.URL != "" {
		p.health.addArtifacts(p.artifacts)
	}
}

// archive keeps parts of logs in the artifact store.
type archive struct{ files artifact.Store }

// Put implements redisstore.Archive.
func (a archive) Put(ctx context.Context, id execution.ID, name string, data []byte) error {
	return a.files.Put(ctx, id, name, bytes.NewReader(data), int64(len(data)), "application/octet-stream")
}

// Get implements redisstore.Archive.
func (a archive) Get(ctx context.Context, id execution.ID, name string) ([]byte, error) {
	file, err := a.files.Open(ctx, id, name)
	if execution.CodeOf(err) == execution.NotFound {
		// A gap is told of what is not there: it must not be the store itself.
		if away := a.files.Check(ctx); away != nil {
			return nil, away
		}
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, redisstore.MaxSegment))
}

// Delete implements redisstore.Archive.
func (a archive) Delete(ctx context.Context, id execution.ID) error { return a.files.Delete(ctx, id) }

func (p *parts) close() {
	if err := p.rdb.Close(); err != nil {
		p.log.Warn("closing Redis", "error", err)
	}
}

// stopPatience is how long a stop waits at a time for what may hang with Redis.
const stopPatience = 500 * time.Millisecond

// group runs the goroutines of a process that go on until it stops, and waits for them.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	log    *slog.Logger
	away   func() bool // as in parts
}

// newGroup detaches from ctx's end: a group stops when the stop order says so,
// which is later than the signal.
func newGroup(ctx context.Context, log *slog.Logger, away func() bool) *group {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &group{ctx: ctx, cancel: cancel, log: log, away: away}
}

func (g *group) start(name string, run func(context.Context) error) {
	g.wg.Go(func() {
		if err := run(g.ctx); err != nil {
			g.log.Error("stopped by an error", "part", name, "error", err)
		}
	})
}

// stop does not wait for a Redis that is away: a command that is under way hears
// of no end, and a platform kills who takes too long.
func (g *group) stop() {
	g.cancel()
	ended := make(chan struct{})
	go func() { g.wg.Wait(); close(ended) }()
	for {
		select {
		case <-ended:
			return
		case <-time.After(stopPatience):
			if g.away() {
				return
			}
		}
	}
}

// keepers are what every replica runs, API and worker alike.
func (p *parts) keepers(g *group) error {
	reaper := runner.NewReaper(p.store, p.tasks, files{p.artifacts, p.internal}, p.log.With("part", "reaper"))
	reaper.Observe(observer{p.metrics})
	g.start("reaper", reaper.Run)
	g.start("health", p.health.run)
	g.start("advice", p.advise)
	g.start("shed", shed)
	if p.cfg.WebhookSecret == "" {
		return nil
	}
	d, err := webhook.New(hooks{p.store, p.log}, webhook.Options{Secret: p.cfg.WebhookSecret, AllowNetworks: p.cfg.WebhookAllowNetworks, Logger: p.log.With("part", "webhook")})
	if err != nil {
		return err
	}
	g.start("webhook", func(ctx context.Context) error { d.Run(ctx); return nil })
	return nil
}

// advise waits for Redis and then says once what is wrong with it.
func (p *parts) advise(ctx context.Context) error {
	for {
		err := p.store.Ready(ctx)
		if err == nil {
			break
		}
		if execution.CodeOf(err) == execution.Conflict {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	advice, err := p.store.Advise(ctx)
	for _, a := range advice {
		p.log.Warn("Redis: "+a.Message, "redis_setting", a.Setting)
	}
	if err != nil && ctx.Err() == nil {
		p.log.Warn("Redis could not be looked at", "error", err)
	}
	return nil
}

// hooks lets webhook read its deliveries from the store.
type hooks struct {
	store *redisstore.Store
	log   *slog.Logger
}

// hookHold is longer than one try may take, so that nobody else tries meanwhile.
const hookHold = time.Minute

func (h hooks) Due(ctx context.Context, _ time.Time, limit int) ([]webhook.Delivery, error) {
	due, err := h.store.DueHooks(ctx, limit, hookHold)
	if err != nil {
		return nil, err
	}
	var all []webhook.Delivery
	for _, hook := range due {
		d, err := webhook.For(hook.Record)
		if err != nil {
			// One that cannot be told must not hold up the others.
			h.log.Error("webhook dropped", "execution_id", hook.Record.ID, "error", err)
			if err := h.store.HookDone(ctx, hook.Record.ID); err != nil {
				return nil, err
			}
			continue
		}
		d.Attempt = hook.Attempt + 1
		all = append(all, d)
	}
	return all, nil
}

func (h hooks) Done(ctx context.Context, id string, _ bool, _ int, _ string) error {
	return h.store.HookDone(ctx, webhook.ExecutionOf(id))
}

func (h hooks) Retry(ctx context.Context, id string, at time.Time, _ int, _ string) error {
	return h.store.HookRetry(ctx, webhook.ExecutionOf(id), at)
}
