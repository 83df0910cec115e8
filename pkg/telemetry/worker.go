package telemetry

import "github.com/prometheus/client_golang/prometheus"

// WorkerStats is what a worker is doing.
type WorkerStats struct {
	Slots, Busy int
	Draining    bool
	SpoolBytes  int64 // of log on its disk, that Redis has not taken yet
}

// Worker has ask called at each scrape. Only a process that runs executions has these.
func (m *Metrics) Worker(ask func() WorkerStats) {
	if m == nil {
		return
	}
	m.registry.MustRegister(workerCollector(ask))
}

type workerCollector func() WorkerStats

var (
	slotsDesc    = prometheus.NewDesc("longhaul_worker_slots", "Executions that this worker can run at once.", nil, nil)
	busyDesc     = prometheus.NewDesc("longhaul_worker_slots_busy", "Executions that this worker has.", nil, nil)
	drainingDesc = prometheus.NewDesc("longhaul_worker_draining", "1 while this worker only finishes what it has, else 0.", nil, nil)
	spoolDesc    = prometheus.NewDesc("longhaul_spool_bytes", "Log on this worker's disk that Redis has not taken yet.", nil, nil)
)

// Describe implements prometheus.Collector.
func (workerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{slotsDesc, busyDesc, drainingDesc, spoolDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (ask workerCollector) Collect(ch chan<- prometheus.Metric) {
	s := ask()
	draining := 0.0
	if s.Draining {
		draining = 1
	}
	ch <- prometheus.MustNewConstMetric(slotsDesc, prometheus.GaugeValue, float64(s.Slots))
	ch <- prometheus.MustNewConstMetric(busyDesc, prometheus.GaugeValue, float64(s.Busy))
	ch <- prometheus.MustNewConstMetric(drainingDesc, prometheus.GaugeValue, draining)
	ch <- prometheus.MustNewConstMetric(spoolDesc, prometheus.GaugeValue, float64(s.SpoolBytes))
}
