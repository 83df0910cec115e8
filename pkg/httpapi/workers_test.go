package httpapi_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestTheWorkersAreListedWithWhatTheyRun(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	if got, err := c.Workers(t.Context()); err != nil || got.Workers == nil || len(got.Workers) != 0 {
		t.Fatalf("%+v, %v: an empty list is wanted", got, err)
	}
	seen := time.Now().UTC().Truncate(time.Millisecond)
	w.store.workers = []execution.Worker{
		{Name: "worker-1", Version: "v1", Slots: 5, Queues: []string{"low"}, StartedAt: seen.Add(-time.Hour), SeenAt: seen, Running: []execution.ID{"exec_1762548673499_vqx7d3cpo"}},
		{Name: "worker-2", Draining: true},
	}
	got, err := c.Workers(t.Context())
	if err != nil || len(got.Workers) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	first, second := got.Workers[0], got.Workers[1]
	if first.Worker != "worker-1" || first.Version != "v1" || first.Slots != 5 || first.Running != 1 || first.Draining ||
		!slices.Equal(first.Queues, []string{"low"}) || !slices.Equal(first.Executions, w.store.workers[0].Running) ||
		!first.LastSeenAt.Equal(seen) || !first.StartedAt.Equal(seen.Add(-time.Hour)) {
		t.Errorf("%+v", first)
	}
	if !second.Draining || second.Queues == nil || second.Executions == nil {
		t.Errorf("%+v", second)
	}
	w.problem(http.StatusUnauthorized, "GET", "/workers", "", "Authorization", "")
}
