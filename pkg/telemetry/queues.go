package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Collect sets who is asked for the line's length at every scrape: it is
// the same for all replicas and lives in Redis, so nobody keeps it current here.
func (m *Metrics) Collect(ask func(context.Context) (execution.QueueStats, error)) {
	if m == nil {
		return
	}
	m.queues.mu.Lock()
	defer m.queues.mu.Unlock()
	m.queues.ask = ask
}

// askTimeout is below the 10 s that a scraper commonly waits.
const askTimeout = 3 * time.Second

type queueCollector struct {
	mu  sync.Mutex // guards ask
	ask func(context.Context) (execution.QueueStats, error)
}

var (
	depthDesc   = prometheus.NewDesc("longhaul_queue_depth", "Executions that wait for a worker; the same in all replicas.", []string{"queue"}, nil)
	delayedDesc = prometheus.NewDesc("longhaul_queue_delayed", "Executions that may not run yet; the same in all replicas.", []string{"queue"}, nil)
	oldestDesc  = prometheus.NewDesc("longhaul_queue_oldest_age_seconds", "How long the first in line has waited; the same in all replicas.", []string{"queue"}, nil)
	runningDesc = prometheus.NewDesc("longhaul_executions_running", "Executions that run; the same in all replicas.", nil, nil)
	upDesc      = prometheus.NewDesc("longhaul_store_up", "1 when Redis answered this scrape, else 0.", nil, nil)
)

// Describe implements prometheus.Collector.
func (q *queueCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{depthDesc, delayedDesc, oldestDesc, runningDesc, upDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (q *queueCollector) Collect(ch chan<- prometheus.Metric) {
	q.mu.Lock()
	ask := q.ask
	q.mu.Unlock()
	if ask == nil {
		return
	}
	// The interface brings no context: this is the one place that starts its own.
	ctx, cancel := context.WithTimeout(context.TODO(), askTimeout)
	defer cancel()
	stats, err := ask(ctx)
	if err != nil {
		ch <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, 0)
		return // no number is better than an old one
	}
	ch <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, 1)
	for name, line := range stats.Lines {
		ch <- prometheus.MustNewConstMetric(depthDesc, prometheus.GaugeValue, float64(line.Depth), name)
		ch <- prometheus.MustNewConstMetric(delayedDesc, prometheus.GaugeValue, float64(line.Delayed), name)
		ch <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, line.Oldest.Seconds(), name)
	}
	ch <- prometheus.MustNewConstMetric(runningDesc, prometheus.GaugeValue, float64(stats.Running))
}

// bounded lets the first values of a label through and calls the rest other:
// a label with endless values would eat the scraper's memory.
type bounded struct {
	mu   sync.Mutex // guards seen
	seen map[string]bool
	most int
}

// only lets these through, and nothing else from now on.
func (b *bounded) only(values []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.most = 0
	for _, v := range values {
		b.seen[v] = true
	}
}

const other = "other"

func newBounded(most int) *bounded { return &bounded{seen: map[string]bool{}, most: most} }

func (b *bounded) label(s string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case s == "":
		return other
	case b.seen[s]:
		return s
	case len(b.seen) >= b.most:
		return other
	}
	b.seen[s] = true
	return s
}
