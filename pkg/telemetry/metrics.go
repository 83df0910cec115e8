package telemetry

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Metrics are the numbers of one process, in a registry of their own. Every
// label has a bounded number of values. A nil Metrics counts nothing.
type Metrics struct {
	registry *prometheus.Registry
	engines  *bounded
	routes   *bounded
	queues   *queueCollector

	httpRequests *prometheus.CounterVec
	httpSeconds  *prometheus.HistogramVec
	started      *prometheus.CounterVec
	ended        *prometheus.CounterVec
	pickup       prometheus.Histogram
	run          *prometheus.HistogramVec
	logBytes     prometheus.Counter
	appends      prometheus.Histogram
	checks       *prometheus.GaugeVec
	requeued     *prometheus.CounterVec
	lag          prometheus.Histogram
	redisPing    prometheus.Histogram
	reaped       *prometheus.CounterVec
	reaperRound  prometheus.Gauge
	warmReady    *prometheus.GaugeVec
	warmBytes    *prometheus.GaugeVec
	warmStarts   *prometheus.CounterVec
	warmRecycled *prometheus.CounterVec
	subscribers  atomic.Pointer[func() int]
}

// Buckets. A request takes a millisecond to a long poll's minute, a pick-up a
// millisecond to hours in line, a run a second to hours, an append a fraction
// of a millisecond to an outage, a lag the 50 ms that an incomplete line may wait besides.
var (
	requestBuckets = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}
	pickupBuckets  = []float64{.005, .01, .05, .1, .25, .5, 1, 5, 30, 120, 600, 3600}
	runBuckets     = []float64{1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400}
	lagBuckets     = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 10, 60, 600}
	appendBuckets  = []float64{.0002, .0005, .001, .0025, .005, .01, .05, .25, 1, 10, 60}
)

// NewMetrics makes the metrics of a process that was built as version.
func NewMetrics(version string) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "longhaul_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "longhaul_" + name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		engines:  newBounded(200), // a catalog has fewer
		routes:   newBounded(100), // the API has fewer
		queues:   &queueCollector{},

		httpRequests: counter("http_requests_total", "HTTP requests answered.", "route", "method", "status"),
		httpSeconds:  histogram("http_request_duration_seconds", "Time to answer an HTTP request; of a stream, all of it.", requestBuckets, "route", "method"),
		started:      counter("executions_started_total", "Attempts whose process was started.", "engine"),
		ended:        counter("executions_ended_total", "Executions that a worker or the reaper brought to a terminal status.", "engine", "status", "reason"),
		pickup: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "longhaul_execution_pickup_seconds",
			Help: "Time from being due to being claimed by a worker.", Buckets: pickupBuckets,
		}),
		run:      histogram("execution_run_seconds", "Time from an attempt's start to its end.", runBuckets, "engine", "status"),
		logBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "longhaul_log_bytes_total", Help: "Bytes of stdout and stderr that were stored."}),
		appends: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "longhaul_log_append_seconds",
			Help: "Time of one append of events to Redis.", Buckets: appendBuckets,
		}),
	}
	one := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "longhaul_" + name, Help: help, Buckets: buckets})
	}
	m.requeued = counter("attempts_requeued_total", "Attempts after which the execution went back in line.", "engine", "reason")
	m.lag = one("log_lag_seconds", "Time from what an engine wrote to its being stored, of the oldest event of each append.", lagBuckets)
	m.redisPing = one("redis_ping_seconds", "Time of the command that looks whether Redis takes writes.", appendBuckets)
	m.reaped = counter("reaper_actions_total", "What the reaper did: lost, overdue, redispatched, discarded.", "action")
	for _, action := range []string{"lost", "overdue", "redispatched", "discarded"} {
		m.reaped.WithLabelValues(action) // from 0 on: an alert must see the first
	}
	m.reaperRound = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "longhaul_reaper_last_round_timestamp_seconds", Help: "When this replica's reaper last reached Redis, in Unix time.",
	})
	m.checks = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "longhaul_check_ok", Help: "1 when the last look at what this process depends on found it as it should be, else 0.",
	}, []string{"check"})
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "longhaul_" + name, Help: help}, []string{"engine"})
	}
	m.warmReady = gauge("warm_ready", "Processes of an engine that wait for their execution.")
	m.warmBytes = gauge("warm_idle_bytes", "Memory of these and of their launcher, shared pages counted once.")
	m.warmStarts = counter("warm_starts_total", "Starts of engines that are kept warm: warm, cold where the request asks for another environment, fallback where nothing was ready.", "engine", "start")
	m.warmRecycled = counter("warm_recycled_total", "Launchers replaced, by why: executions, memory, lost.", "engine", "why")
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "longhaul_subscribers", Help: "Streams open at this replica."}, m.countSubscribers)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "longhaul_build_info", Help: "Always 1; the label says what runs.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(build, open, m.httpRequests, m.httpSeconds, m.started, m.ended, m.pickup, m.run, m.logBytes, m.appends, m.checks,
		m.requeued, m.lag, m.redisPing, m.reaped, m.reaperRound,
		m.warmReady, m.warmBytes, m.warmStarts, m.warmRecycled,
		m.queues, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics. Who may read them is the caller's to check.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Request counts an answered HTTP request. route is the pattern, "/execute/status/{id}",
// never the path; "" is for requests that matched none.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	if m == nil {
		return
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = other // a method is any word
	}
	if status < 100 || status > 599 {
		status = 0
	}
	route = m.routes.label(route)
	m.httpRequests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.httpSeconds.WithLabelValues(route, method).Observe(took.Seconds())
}

// Started counts an attempt whose process runs, which waited this long since it was due.
func (m *Metrics) Started(engine string, waited time.Duration) {
	if m == nil {
		return
	}
	m.started.WithLabelValues(m.engines.label(engine)).Inc()
	m.pickup.Observe(max(0, waited.Seconds()))
}

// Ended counts an execution that reached its terminal status; ran is 0 where it never started.
func (m *Metrics) Ended(engine string, status execution.Status, reason execution.Reason, ran time.Duration) {
	if m == nil {
		return
	}
	engine = m.engines.label(engine)
	m.ended.WithLabelValues(engine, string(status), string(reason)).Inc()
	if ran > 0 {
		m.run.WithLabelValues(engine, string(status)).Observe(ran.Seconds())
	}
}

// Requeued counts an attempt after which its execution went back in line.
func (m *Metrics) Requeued(engine string, reason execution.Reason) {
	if m != nil {
		m.requeued.WithLabelValues(m.engines.label(engine), string(reason)).Inc()
	}
}

// Stored counts bytes of log that are stored, and how long after they were written.
func (m *Metrics) Stored(bytes int64, lag time.Duration) {
	if m != nil {
		m.logBytes.Add(float64(bytes))
		m.lag.Observe(max(0, lag.Seconds()))
	}
}

// RedisPing measures one look at Redis.
func (m *Metrics) RedisPing(took time.Duration) {
	if m != nil {
		m.redisPing.Observe(took.Seconds())
	}
}

// Reaped counts one thing that the reaper did.
func (m *Metrics) Reaped(action string) {
	if m != nil {
		m.reaped.WithLabelValues(action).Inc()
	}
}

// ReaperRound notes that the reaper reached Redis.
func (m *Metrics) ReaperRound(at time.Time) {
	if m != nil {
		m.reaperRound.Set(float64(at.UnixMilli()) / 1000)
	}
}

// Engines says which names of engines and commands there are: the label engine
// takes no other values, since a caller may write any word.
func (m *Metrics) Engines(names []string) {
	if m != nil {
		m.engines.only(names)
	}
}

// Append measures one append of events to Redis.
func (m *Metrics) Append(took time.Duration) {
	if m != nil {
		m.appends.Observe(took.Seconds())
	}
}

// WarmStock notes how many processes of an engine wait for their execution, and what memory that takes.
func (m *Metrics) WarmStock(engine string, ready int, bytes int64) {
	if m != nil {
		engine = m.engines.label(engine)
		m.warmReady.WithLabelValues(engine).Set(float64(ready))
		m.warmBytes.WithLabelValues(engine).Set(float64(bytes))
	}
}

// WarmStart counts a start of an engine that is kept warm: warm, cold or fallback.
func (m *Metrics) WarmStart(engine, how string) {
	if m != nil {
		m.warmStarts.WithLabelValues(m.engines.label(engine), how).Inc()
	}
}

// WarmRecycled counts a launcher that was replaced, and why.
func (m *Metrics) WarmRecycled(engine, why string) {
	if m != nil {
		m.warmRecycled.WithLabelValues(m.engines.label(engine), why).Inc()
	}
}

// Check notes what a look at a dependency found.
func (m *Metrics) Check(name string, ok bool) {
	if m == nil {
		return
	}
	v := 0.0
	if ok {
		v = 1
	}
	m.checks.WithLabelValues(name).Set(v)
}

// Subscribers has count asked for the open streams at each scrape.
func (m *Metrics) Subscribers(count func() int) {
	if m != nil {
		m.subscribers.Store(&count)
	}
}

func (m *Metrics) countSubscribers() float64 {
	if count := m.subscribers.Load(); count != nil {
		return float64((*count)())
	}
	return 0
}
