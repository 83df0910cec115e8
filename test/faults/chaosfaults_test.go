package faults

import (
	"cmp"
	"slices"
	"syscall"
	"time"

	"github.com/hibiken/asynq"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type startRequest = api.StartRequest

// fault is one that chaos may cause. cause returns when it is healed.
type fault struct {
	name        string
	at          string // worker, api, redis or store: one fault at a time each; all: beside any other
	least, most time.Duration
	cause       func(p *proc, d time.Duration)
}

const s1 = time.Second

// catalog lists all of them; those that take long come only in long runs.
func (c *chaos) catalog(length time.Duration) []fault {
	all := []fault{
		{"worker SIGKILL", "worker", 0, 2 * s1, c.killed},
		{"worker SIGTERM", "worker", 0, s1, c.terminated},
		{"worker SIGSTOP", "worker", s1, 8 * s1, c.frozen},
		{"api SIGKILL", "api", 0, 2 * s1, c.killed},
		{"api SIGTERM", "api", 0, s1, c.terminated},
		{"api SIGSTOP", "api", s1, 5 * s1, c.frozen},
		{"redis SIGKILL", "redis", 0, 6 * s1, func(_ *proc, d time.Duration) { c.redis.Kill(); outage(d); c.redis.Start() }},
		{"redis restart", "redis", 0, s1, func(_ *proc, d time.Duration) { c.redis.Stop(); outage(d); c.redis.Start() }},
		{"redis frozen", "redis", s1, 6 * s1, func(_ *proc, d time.Duration) { c.redis.Pause(); outage(d); c.redis.Resume() }},
		{"artifact store away", "store", s1, 8 * s1, func(_ *proc, d time.Duration) { back := c.storeAway(); outage(d); back() }},
		{"redis full", "redis", s1, 4 * s1, c.full},
		{"CLIENT KILL TYPE pubsub", "all", 0, 0, c.pubsubKilled},
		{"shim SIGKILL", "all", 0, 0, func(*proc, time.Duration) { c.killEngine(parentOf) }},
		{"engine SIGKILL", "all", 0, 0, func(*proc, time.Duration) { c.killEngine(func(pid int) int { return pid }) }},
		{"dashboard cancels", "all", 0, 0, func(*proc, time.Duration) {
			c.dashboards(func(i *asynq.Inspector, id execution.ID) { _ = i.CancelProcessing(task(id)) })
		}},
		{"dashboard archives", "all", 0, 0, func(*proc, time.Duration) {
			c.dashboards(func(i *asynq.Inspector, id execution.ID) { _ = i.ArchiveTask("default", task(id)) })
		}},
		{"dashboard deletes", "all", 0, 0, func(*proc, time.Duration) {
			c.dashboards(func(i *asynq.Inspector, id execution.ID) { _ = i.DeleteTask("default", task(id)) })
		}},
		{"task delivered again", "all", 0, 0, c.redelivered},
		{"asynq's leases gone", "all", 0, 0, func(*proc, time.Duration) {
			_ = c.rdb.Del(c.ctx, "asynq:{default}:lease", "asynq:{default}:active").Err() // where Redis is not away
		}},
		{"lost reply to dequeue", "worker", 0, 0, func(p *proc, _ time.Duration) {
			c.lost(p, 1, containing(":pending", ":paused", ":active", ":lease"), found)
		}},
	}
	for _, at := range []string{"worker", "api"} {
		all = append(all,
			fault{at + " cut", at, 0, 0, func(p *proc, _ time.Duration) { p.proxy.Cut() }},
			fault{at + " refused", at, s1, 8 * s1, c.network((*proxy).Refuse)},
			fault{at + " black hole", at, s1, 8 * s1, c.network((*proxy).BlackHole)},
			fault{at + " half open", at, s1, 8 * s1, c.network(func(p *proxy) { p.HalfOpen(replies) })},
			fault{at + " slow (200 ms)", at, s1, 8 * s1, c.network(func(p *proxy) { p.Delay(100 * time.Millisecond) })},
		)
	}
	for script, at := range map[string]string{"create": "api", "cancel": "api", "claim": "worker", "append": "worker", "settle": "worker", "renew": "worker"} {
		all = append(all, fault{"lost reply to " + script, at, 0, 0, func(p *proc, _ time.Duration) { c.lost(p, 3, c.calls[script], done) }})
	}
	if length >= 5*time.Minute {
		all = append(all,
			fault{"worker SIGSTOP, beyond its lease", "worker", 18 * s1, 30 * s1, c.frozen},
			fault{"worker black hole, beyond its lease", "worker", 18 * s1, 30 * s1, c.network((*proxy).BlackHole)},
			fault{"redis away for long", "redis", 15 * s1, 40 * s1, func(_ *proc, d time.Duration) { c.redis.Kill(); outage(d); c.redis.Start() }},
		)
	}
	// One order for one seed, whatever the order of the map above.
	slices.SortFunc(all, func(a, b fault) int { return cmp.Compare(a.name, b.name) })
	return all
}

func (c *chaos) killed(p *proc, d time.Duration) { p.kill(); outage(d); p.restart() }

func (c *chaos) terminated(p *proc, d time.Duration) {
	p.term(30 * s1) // Redis may be away meanwhile
	outage(d)
	p.restart()
}

func (c *chaos) frozen(p *proc, d time.Duration) {
	p.signal(syscall.SIGSTOP)
	outage(d)
	p.signal(syscall.SIGCONT)
}

func (c *chaos) network(cause func(*proxy)) func(*proc, time.Duration) {
	return func(p *proc, d time.Duration) {
		cause(p.proxy)
		outage(d)
		p.proxy.Heal()
	}
}

// lost loses the next replies that match, or gives up where none come.
func (c *chaos) lost(p *proc, times int, request, reply func([]byte) bool) {
	dropped := p.proxy.DropReply(times, request, reply)
	select {
	case <-dropped:
	case <-time.After(5 * s1):
	}
	p.proxy.Heal()
}

func (c *chaos) full(_ *proc, d time.Duration) {
	c.maxMemory("1mb")
	outage(d)
	c.maxMemory("0")
}

// maxMemory tries again: right after an outage our own client still answers
// with the error of its last dial.
func (c *chaos) maxMemory(limit string) {
	var err error
	if !comes(10*s1, func() bool { err = c.rdb.ConfigSet(c.ctx, "maxmemory", limit).Err(); return err == nil }) {
		c.t.Errorf("CONFIG SET maxmemory %s: %v", limit, err)
	}
}

func (c *chaos) pubsubKilled(*proc, time.Duration) {
	for range 5 {
		_ = c.rdb.Do(c.ctx, "CLIENT", "KILL", "TYPE", "pubsub").Err() // where Redis is not away
		outage(s1)
	}
}

// open lists what has not ended, the newest first.
func (c *chaos) open() (ids []execution.ID) {
	all := c.all()
	c.system.mu.Lock()
	defer c.system.mu.Unlock()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].final == nil {
			ids = append(ids, all[i].id)
		}
	}
	return ids
}

// killEngine kills a running engine, or what of picks beside it.
func (c *chaos) killEngine(of func(int) int) {
	alive := map[string]int{}
	for _, e := range c.journal() {
		switch e.What {
		case "start":
			alive[e.ID] = e.PID
		case "end":
			delete(alive, e.ID)
		}
	}
	for _, id := range c.open() {
		pid := alive[string(id)]
		// The pid must still be this engine's, and its parent a shim: one of ours.
		if pid == 0 || !carries(pid, string(id)) {
			continue
		}
		if target := of(pid); target > 1 {
			_ = syscall.Kill(target, syscall.SIGKILL) // it may just have ended
			return
		}
	}
}

func (c *chaos) dashboards(act func(*asynq.Inspector, execution.ID)) {
	i := asynq.NewInspectorFromRedisClient(c.rdb)
	for n, id := range c.open() {
		if n == 3 {
			return
		}
		act(i, id)
	}
}

func (c *chaos) redelivered(*proc, time.Duration) {
	client := asynq.NewClientFromRedisClient(c.rdb)
	for n, id := range c.open() {
		if n == 5 {
			return
		}
		_, _ = client.Enqueue(asynq.NewTask("execution", []byte(id)), asynq.MaxRetry(1)) // where Redis is not away
	}
}
