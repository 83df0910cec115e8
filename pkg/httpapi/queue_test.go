package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
	"github.com/longhaul/longhaul/pkg/queue"
)

func withWorkers(workers ...queue.Worker) func(*httpapi.Options) {
	return func(o *httpapi.Options) {
		o.Workers = func(context.Context) ([]queue.Worker, error) { return workers, nil }
	}
}

func TestTheLineSaysHowManyWorkersItWants(t *testing.T) {
	all := execution.Queues
	w := newWorld(t, withWorkers(
		queue.Worker{Slots: 5, Queues: all}, queue.Worker{Slots: 4, Queues: all},
		queue.Worker{Slots: 2, Queues: []string{"low"}}, queue.Worker{Slots: 3, Queues: all, Draining: true},
	))
	w.store.lines = execution.QueueStats{Running: 9, Lines: map[string]execution.Line{
		"critical": {Running: 1},
		"default":  {Depth: 12, Delayed: 2, Oldest: 4200 * time.Millisecond, Running: 6},
		"low":      {Depth: 1, Oldest: 90 * time.Second, Running: 2},
	}}
	for _, tt := range []struct {
		query string
		want  api.QueueStats // of which only some are compared
	}{
		{"", api.QueueStats{Depth: 13, Delayed: 2, OldestAgeSeconds: 90, Running: 9, Workers: 3, Draining: 1, Capacity: 11, SlotsPerWorker: 2, MinReplicas: 1, MaxReplicas: 50, WantedReplicas: 11}},
		{"?slots=5", api.QueueStats{Depth: 13, Delayed: 2, OldestAgeSeconds: 90, Running: 9, Workers: 3, Draining: 1, Capacity: 11, SlotsPerWorker: 5, MinReplicas: 1, MaxReplicas: 50, WantedReplicas: 5}},
		{"?slots=5&max=3", api.QueueStats{Depth: 13, Delayed: 2, OldestAgeSeconds: 90, Running: 9, Workers: 3, Draining: 1, Capacity: 11, SlotsPerWorker: 5, MinReplicas: 1, MaxReplicas: 3, WantedReplicas: 3}},
		{"?slots=5&max=1", api.QueueStats{Depth: 13, Delayed: 2, OldestAgeSeconds: 90, Running: 9, Workers: 3, Draining: 1, Capacity: 11, SlotsPerWorker: 5, MinReplicas: 1, MaxReplicas: 1, WantedReplicas: 2}},
		{"?slots=5&min=60", api.QueueStats{Depth: 13, Delayed: 2, OldestAgeSeconds: 90, Running: 9, Workers: 3, Draining: 1, Capacity: 11, SlotsPerWorker: 5, MinReplicas: 60, MaxReplicas: 60, WantedReplicas: 60}},
		{"?queue=critical,default", api.QueueStats{Depth: 12, Delayed: 2, OldestAgeSeconds: 4.2, Running: 7, Workers: 2, Draining: 1, Capacity: 9, SlotsPerWorker: 4, MinReplicas: 1, MaxReplicas: 50, WantedReplicas: 5}},
	} {
		got, header := call[api.QueueStats](w, 200, "GET", "/queue/stats"+tt.query, "")
		if header.Get("Cache-Control") != "no-store" {
			t.Error("an old number could be served")
		}
		queues := got.Queues
		if got.Queues = nil; !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.query, got, tt.want)
		}
		if d := (api.QueueLine{Depth: 12, Delayed: 2, OldestAgeSeconds: 4.2, Running: 6, Capacity: 9}); queues["default"] != d {
			t.Errorf("%s: default is %+v", tt.query, queues["default"])
		}
	}
	got, err := w.client().QueueStats(t.Context(), client.QueueQuery{Queues: []string{"low"}, Slots: 2, Min: 2, Max: 9})
	if err != nil || got.WantedReplicas != 2 || got.MaxReplicas != 9 || got.Capacity != 11 || len(got.Queues) != 1 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAnEmptyLineWithoutWorkersStillHasAnAnswer(t *testing.T) {
	w := newWorld(t)
	got, _ := call[api.QueueStats](w, 200, "GET", "/queue/stats?min=0", "")
	if got.WantedReplicas != 0 || got.SlotsPerWorker != 5 || got.Capacity != 0 || len(got.Queues) != 3 {
		t.Errorf("%+v", got)
	}
	w.store.lines.Lines = map[string]execution.Line{"low": {Depth: 6}}
	if got, _ = call[api.QueueStats](w, 200, "GET", "/queue/stats?min=0", ""); got.WantedReplicas != 2 {
		t.Errorf("nobody would ever be started: %+v", got)
	}
}

func TestTheLineIsForTheMetricsTokenToo(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.MetricsToken = "watch" })
	call[api.QueueStats](w, 200, "GET", "/queue/stats", "", "Authorization", "Bearer watch")
	w.problem(401, "GET", "/queue/stats", "", "Authorization", "Bearer nobody")
	w.problem(401, "GET", "/queue/stats", "", "Authorization", "")
	w.problem(401, "GET", "/execute/list", "", "Authorization", "Bearer watch")
}

func TestABadQuestionAboutTheLineIsRefused(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) {
		o.Workers = func(context.Context) ([]queue.Worker, error) { return nil, errors.New("no heartbeats") }
	})
	for query, at := range map[string]string{
		"slots=0": "slots", "slots=x": "slots", "min=-1": "min", "min=5&max=2": "min", "max=0": "max", "max=1001": "max", "queue=vip": "queue",
	} {
		if p, _ := w.problem(http.StatusUnprocessableEntity, "GET", "/queue/stats?"+query, ""); !located(p, at) {
			t.Errorf("%s: %+v", query, p)
		}
	}
	w.problem(http.StatusInternalServerError, "GET", "/queue/stats", "")
	w.store.setFail(&execution.Error{Code: execution.Unavailable, Message: "Redis cannot be reached"})
	if p, _ := w.problem(http.StatusServiceUnavailable, "GET", "/queue/stats", ""); !strings.Contains(p.Detail, "Redis") {
		t.Errorf("%+v", p)
	}
}

func TestTheLineSaysHowLongItWouldTake(t *testing.T) {
	w := newWorld(t, withWorkers(queue.Worker{Slots: 4, Queues: execution.Queues}))
	for _, tt := range []struct {
		depth, running int64
		perMinute      float64
		want           float64 // below 0: unknown
	}{{0, 0, 0, 0}, {0, 4, 0, -1}, {0, 4, 6, 10}, {11, 4, 6, 120}, {11, 4, 0, -1}} {
		w.store.lines = execution.QueueStats{Lines: map[string]execution.Line{"low": {Depth: tt.depth, Running: tt.running, PerMinute: tt.perMinute}}}
		got, _ := call[api.QueueStats](w, 200, "GET", "/queue/stats", "")
		for where, wait := range map[string]*float64{"all": got.ExpectedWaitSeconds, "low": got.Queues["low"].ExpectedWaitSeconds} {
			if (wait == nil) != (tt.want < 0) || wait != nil && *wait != tt.want {
				t.Errorf("%+v, %s: waits %v", tt, where, wait)
			}
		}
		if got.ThroughputPerMinute != tt.perMinute || got.Queues["low"].ThroughputPerMinute != tt.perMinute {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}
