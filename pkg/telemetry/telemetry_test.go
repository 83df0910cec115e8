package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestJSONLinesHaveThePlatformsNames(t *testing.T) {
	var b bytes.Buffer
	log := NewLogger(&b, "auto", slog.LevelInfo) // a buffer is no terminal
	log.Debug("not shown")
	log.Warn("careful", "level", "mine", "n", 1, "word", word(3), "took", 25*time.Second, "none", nil, slog.Group("g", "msg", "inner"))
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	if line["word"] != "three" || line["took"] != "25s" || line["none"] != nil {
		t.Errorf("%s", b.String())
	}
	if line["message"] != "careful" || line["n"] != 1.0 || line["g"].(map[string]any)["msg"] != "inner" {
		t.Errorf("%s", b.String())
	}
	if !strings.Contains(b.String(), `"level":"warn"`) {
		t.Errorf("%s", b.String())
	}
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(line["time"])); err != nil || time.Since(at) > time.Minute {
		t.Errorf("time is %v", line["time"])
	}
}

type word int

func (word) String() string { return "three" }

func TestTextIsPlainWhereThereIsNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	NewLogger(f, "text", slog.LevelDebug).Debug("hello", "n", 1)
	out, err := os.ReadFile(f.Name())
	if err != nil || !strings.Contains(string(out), "hello n=1") || strings.Contains(string(out), "\x1b") {
		t.Errorf("%q %v", out, err)
	}
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestWhatHappensIsCounted(t *testing.T) {
	m := NewMetrics("1.2.3")
	m.Request("/execute/status/{id}", "GET", 200, 3*time.Millisecond)
	m.Request("", "BREW", 0, time.Millisecond)
	m.Started("agent", 20*time.Millisecond)
	m.Ended("agent", execution.Failed, execution.ReasonExitCode, 90*time.Second)
	m.Ended("agent", execution.Cancelled, execution.ReasonCancelled, 0)
	m.Requeued("agent", execution.ReasonInterrupted)
	m.Stored(10, 20*time.Millisecond)
	m.RedisPing(time.Millisecond)
	m.Reaped("lost")
	m.ReaperRound(time.UnixMilli(1500))
	m.Worker(func() WorkerStats { return WorkerStats{Slots: 5, Busy: 2, Draining: true, SpoolBytes: 99} })
	m.Append(time.Millisecond)
	m.Check("redis", true)
	m.Check("disk", false)
	m.Subscribers(func() int { return 2 })
	m.Collect(func(context.Context) (execution.QueueStats, error) {
		return execution.QueueStats{Running: 2, Lines: map[string]execution.Line{"low": {Depth: 7, Delayed: 3, Oldest: 1500 * time.Millisecond}}}, nil
	})
	out := scrape(t, m)
	for _, want := range []string{
		`longhaul_build_info{version="1.2.3"} 1`,
		`longhaul_http_requests_total{method="GET",route="/execute/status/{id}",status="200"} 1`,
		`longhaul_http_requests_total{method="other",route="other",status="0"} 1`,
		`longhaul_http_request_duration_seconds_bucket{method="GET",route="/execute/status/{id}",le="0.005"} 1`,
		`longhaul_executions_started_total{engine="agent"} 1`,
		`longhaul_executions_ended_total{engine="agent",reason="exit_code",status="failed"} 1`,
		`longhaul_execution_run_seconds_sum{engine="agent",status="failed"} 90`,
		`longhaul_execution_pickup_seconds_count 1`,
		"longhaul_log_bytes_total 10", "longhaul_log_lag_seconds_sum 0.02", "longhaul_redis_ping_seconds_sum 0.001",
		`longhaul_attempts_requeued_total{engine="agent",reason="interrupted"} 1`,
		`longhaul_reaper_actions_total{action="lost"} 1`, `longhaul_reaper_actions_total{action="overdue"} 0`,
		"longhaul_reaper_last_round_timestamp_seconds 1.5",
		"longhaul_worker_slots 5", "longhaul_worker_slots_busy 2", "longhaul_worker_draining 1", "longhaul_spool_bytes 99",
		`longhaul_log_append_seconds_count 1`,
		`longhaul_check_ok{check="redis"} 1`, `longhaul_check_ok{check="disk"} 0`,
		"longhaul_subscribers 2", `longhaul_queue_depth{queue="low"} 7`,
		`longhaul_queue_delayed{queue="low"} 3`, `longhaul_queue_oldest_age_seconds{queue="low"} 1.5`, "longhaul_executions_running 2", "longhaul_store_up 1",
		"go_goroutines", "process_open_fds",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(out, `run_seconds_count{engine="agent",status="cancelled"}`) {
		t.Error("an execution that never ran has a run time")
	}
}

func TestAnOutageShowsNoOldNumbers(t *testing.T) {
	m := NewMetrics("")
	m.Collect(func(ctx context.Context) (execution.QueueStats, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("a scrape could hang")
		}
		return execution.QueueStats{Lines: map[string]execution.Line{"low": {Depth: 7}}}, errors.New("redis is away")
	})
	out := scrape(t, m)
	if !strings.Contains(out, "longhaul_store_up 0") || strings.Contains(out, "longhaul_queue_depth{") {
		t.Error(out)
	}
}

func TestLabelsStayBounded(t *testing.T) {
	m := NewMetrics("")
	for i := range 500 {
		m.Started(fmt.Sprint("engine-", i), 0)
		m.Request(fmt.Sprint("/", i), "GET", 200, 0)
	}
	out := scrape(t, m)
	if n := strings.Count(out, "longhaul_executions_started_total{"); n != 201 {
		t.Errorf("%d engines", n)
	}
	if n := strings.Count(out, "longhaul_http_requests_total{"); n != 101 {
		t.Errorf("%d routes", n)
	}
	if !strings.Contains(out, `longhaul_executions_started_total{engine="other"} 300`) {
		t.Error("the rest was lost")
	}
}

func TestOnlyNamesOfTheCatalogAreLabels(t *testing.T) {
	m := NewMetrics("")
	m.Engines([]string{"agent", "python"})
	for i := range 50 {
		m.Ended(fmt.Sprint("engine-", i), execution.Errored, execution.ReasonUnknown, 0)
	}
	m.Started("python", 0)
	out := scrape(t, m)
	if n := strings.Count(out, "longhaul_executions_ended_total{"); n != 1 || !strings.Contains(out, `longhaul_executions_ended_total{engine="other",reason="engine_unknown",status="error"} 50`) {
		t.Errorf("%d engines", n)
	}
	if !strings.Contains(out, `longhaul_executions_started_total{engine="python"} 1`) {
		t.Error("a command of the catalog has no name")
	}
}

func TestNoMetricsCountNothing(*testing.T) {
	var m *Metrics
	m.Request("/", "GET", 200, 0)
	m.Started("x", 0)
	m.Ended("x", execution.Completed, execution.ReasonExited, 0)
	m.Requeued("x", execution.ReasonInterrupted)
	m.Stored(1, 0)
	m.RedisPing(0)
	m.Reaped("lost")
	m.ReaperRound(time.Time{})
	m.Engines(nil)
	m.Worker(nil)
	m.Append(0)
	m.Check("redis", true)
	m.Subscribers(func() int { return 1 })
	m.Collect(nil)
}
