package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

func TestStatusHasEveryFieldOfTheSeedAtEveryStage(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	fields := func(stage string) map[string]any {
		t.Helper()
		m, _ := call[map[string]any](w, 200, "GET", "/execute/status/"+string(id), "")
		for _, name := range []string{
			"execution_id", "status", "command", "args", "queue_position", "created_at", "started_at", "completed_at",
			"duration_seconds", "return_code", "error_message",
		} {
			if _, ok := m[name]; !ok {
				t.Errorf("%s: %s is missing", stage, name)
			}
		}
		return m
	}
	if m := fields("queued"); m["status"] != "queued" || m["queue_position"] != 0.0 || m["started_at"] != nil || m["duration_seconds"] != 0.0 {
		t.Errorf("queued: %v", m)
	}
	w.store.start(id)
	if m := fields("running"); m["status"] != "running" || m["queue_position"] != nil || m["started_at"] == nil || m["deadline"] == nil {
		t.Errorf("running: %v", m)
	}
	w.store.end(id, execution.Outcome{Status: execution.Failed, Reason: execution.ReasonSignal, Signal: "SIGKILL", Message: "died of SIGKILL"})
	m := fields("failed")
	if m["status"] != "failed" || m["return_code"] != 137.0 || m["signal"] != "SIGKILL" || m["error_message"] != "died of SIGKILL" || m["exit_code"] != nil {
		t.Errorf("failed: %v", m)
	}
	if _, err := time.Parse(execution.TimeFormat, m["created_at"].(string)); err != nil {
		t.Error(err)
	}
}

func TestStatusSaysWhenToAskAgainUntilTheEnd(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	if got := w.do("GET", "/execute/status/"+string(id), "").Header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After is %q while queued", got)
	}
	w.store.start(id)
	w.store.finish(id)
	if got := w.do("GET", "/execute/status/"+string(id), "").Header.Get("Retry-After"); got != "" {
		t.Errorf("Retry-After is %q after the end", got)
	}
}

func TestAnETagHoldsUntilAnEventOrAStepInLine(t *testing.T) {
	w := newWorld(t)
	first, second := w.begin(), w.begin()
	path := "/execute/status/" + string(second)
	tag := w.do("GET", path, "").Header.Get("ETag")
	if res := w.do("GET", path, "", "If-None-Match", tag); res.StatusCode != http.StatusNotModified || len(readAll(t, res)) != 0 {
		t.Errorf("unchanged: %d", res.StatusCode)
	}
	w.store.start(first) // the second moves up without an event of its own
	moved := w.do("GET", path, "", "If-None-Match", tag)
	if moved.StatusCode != http.StatusOK || moved.Header.Get("ETag") == tag {
		t.Errorf("after a step in line: %d %s", moved.StatusCode, moved.Header.Get("ETag"))
	}
	w.store.start(second)
	if res := w.do("GET", path, "", "If-None-Match", moved.Header.Get("ETag")); res.StatusCode != http.StatusOK {
		t.Errorf("after an event: %d", res.StatusCode)
	}
}

// inBackground runs f and gives its result when it is done.
func inBackground[T any](f func() T) <-chan T {
	done := make(chan T, 1)
	go func() { done <- f() }()
	return done
}

func TestALongPollEndsWithTheNextEventOrTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		headers     []string
		step        func(*store, execution.ID)
		status      execution.Status
	}{
		{"after a cursor", "?wait=30s&after=2", nil, func(s *store, id execution.ID) { s.log(id, execution.Stdout, "x") }, execution.Running},
		{"the end", "?wait=30", nil, (*store).finish, execution.Completed},
		{"by Prefer", "", []string{"Prefer", "respond-async, wait=30"}, (*store).finish, execution.Completed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			id := w.begin()
			w.store.start(id)
			answer := inBackground(func() *http.Response { return w.do("GET", "/execute/status/"+string(id)+tt.query, "", tt.headers...) })
			w.waitListeners(id, 1)
			tt.step(w.store, id)
			var e api.Execution
			res := <-answer
			if err := json.Unmarshal(readAll(t, res), &e); err != nil {
				t.Fatal(err)
			}
			if e.Status != tt.status || e.LastEvent != 3 {
				t.Errorf("got %s at event %d", e.Status, e.LastEvent)
			}
			if got := res.Header.Get("Preference-Applied"); (got == "wait=30") != (tt.headers != nil) {
				t.Errorf("Preference-Applied is %q", got)
			}
		})
	}
}

func TestALongPollThatFindsNewsDoesNotWait(t *testing.T) {
	w := newWorld(t)
	id := w.run("x")
	e, _ := call[api.Execution](w, 200, "GET", "/execute/status/"+string(id)+"?wait=60s", "")
	if e.Status != execution.Completed {
		t.Errorf("got %s", e.Status)
	}
}

func TestALongPollAnswersWhenTheServerDrains(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	answer := inBackground(func() *http.Response { return w.do("GET", "/execute/status/"+string(id)+"?wait=60s", "") })
	w.waitListeners(id, 1)
	w.srv.Drain()
	if res := <-answer; res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
}

// waitListeners waits until n listen to id's bell.
func (w *world) waitListeners(id execution.ID, n int) {
	w.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for w.store.listeners(id) != n {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("%d listen to %s, not %d", w.store.listeners(id), id, n)
		}
	}
}

func TestAListIsNewestFirstPagedAndFiltered(t *testing.T) {
	w := newWorld(t)
	var ids []execution.ID
	for _, body := range []string{
		`{"command":"python","args":["report"],"labels":{"team":"a"}}`, `{"engine":"agent","labels":{"team":"b"}}`, `{"command":"python","labels":{"team":"b"}}`,
	} {
		started, _ := call[api.Started](w, 202, "POST", "/execute/start", body)
		ids = append(ids, started.ID)
	}
	w.store.start(ids[0])
	page, header := call[api.List](w, 200, "GET", "/execute/list?limit=2", "")
	if len(page.Executions) != 2 || page.Executions[0].ID != ids[2] || page.NextCursor == nil {
		t.Fatalf("first page is %+v", page)
	}
	if got, want := header.Get("Link"), `</execute/list?cursor=`+*page.NextCursor+`&limit=2>; rel="next"`; got != want {
		t.Errorf("Link is %s, want %s", got, want)
	}
	rest, header := call[api.List](w, 200, "GET", "/execute/list?limit=2&cursor="+*page.NextCursor, "")
	if len(rest.Executions) != 1 || rest.Executions[0].ID != ids[0] || rest.NextCursor != nil || header.Get("Link") != "" {
		t.Errorf("second page is %+v", rest)
	}
	for query, want := range map[string]int{ // of two values of one label the last counts
		"status=running": 1, "status=queued,running": 3, "engine=agent": 1, "label=team:b": 2, "label=team%3Db": 2,
		"since=2999-01-01T00:00:00Z": 0, "since=2000-01-01T00:00:00Z": 3, "until=2999-01-01T00:00:00Z": 3, "until=2000-01-01T00:00:00Z": 0,
		"worker=worker-1": 1, "worker=worker-2": 0, "q=report": 1, "q=nothing": 0,
	} {
		if got, _ := call[api.List](w, 200, "GET", "/execute/list?"+query, ""); len(got.Executions) != want {
			t.Errorf("%s finds %d, want %d", query, len(got.Executions), want)
		}
	}
}

func TestAListCountsAllThatIsKeptWhenAsked(t *testing.T) {
	w := newWorld(t)
	w.run("x")
	w.store.start(w.begin())
	w.begin()
	q := client.ListQuery{Status: []execution.Status{execution.Failed}, Counts: true, Until: time.Now().Add(time.Hour), Worker: "w", Text: "x y", Since: time.Now().Add(-time.Hour)}
	got, err := w.client().List(t.Context(), q)
	if want := (api.Counts{Queued: 1, Running: 1, Completed: 1}); err != nil || len(got.Executions) != 0 || got.Counts == nil || *got.Counts != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, _ := call[api.List](w, 200, "GET", "/execute/list", ""); got.Counts != nil || got.ScannedTo != nil {
		t.Errorf("nobody asked for %+v", got)
	}
}

func TestASearchThatEndedEarlySaysHowFarItCame(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.begin()
	w.store.short = true
	got, header := call[api.List](w, 200, "GET", "/execute/list?q=a+b&limit=1&until=2999-01-01T00:00:00Z&worker=", "")
	if got.ScannedTo == nil || got.NextCursor == nil || *got.ScannedTo != *got.NextCursor {
		t.Errorf("%+v", got)
	}
	if link := header.Get("Link"); !strings.Contains(link, "q=a+b") || !strings.Contains(link, "until=2999") {
		t.Errorf("the next page would be another search: %s", link)
	}
}

func TestCancelSettlesAQueuedExecutionAtOnce(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	for range 2 { // repeating it is harmless
		c, _ := call[api.Cancelled](w, 200, "POST", "/execute/cancel/"+string(id), "")
		if c.Status != execution.Cancelled || c.Delivered != "settled" || c.CancelRequestedAt == nil {
			t.Errorf("answer is %+v", c)
		}
	}
}

func TestCancelOfARunningExecutionIsAcceptedAndProvedOnWaiting(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	c, _ := call[api.Cancelled](w, 202, "POST", "/execute/cancel/"+string(id), "")
	if c.Status != execution.Running || c.Delivered != "pending" || c.CancelRequestedAt == nil || c.GroupEmptyAt != nil {
		t.Errorf("answer is %+v", c)
	}
	if n := w.store.killed.Load(); n != 0 {
		t.Errorf("%d kills without force", n)
	}
	if call[api.Cancelled](w, 202, "POST", "/execute/cancel/"+string(id)+"?force=true", ""); w.store.killed.Load() != 1 {
		t.Error("force does not kill")
	}
	answer := inBackground(func() *http.Response { return w.do("POST", "/execute/cancel/"+string(id)+"?wait=15s", "") })
	w.waitListeners(id, 1)
	now := time.Now()
	w.store.end(id, execution.Outcome{Status: execution.Cancelled, Reason: execution.ReasonCancelled, SignalSentAt: &now, GroupEmptyAt: &now})
	res := <-answer
	if err := json.Unmarshal(readAll(t, res), &c); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || c.Delivered != "settled" || c.SignalSentAt == nil || c.GroupEmptyAt == nil {
		t.Errorf("proof is %d %+v", res.StatusCode, c)
	}
}

func TestCancelComesTooLateForWhatHasEndedOtherwise(t *testing.T) {
	w := newWorld(t)
	id := w.run("x")
	p, _ := w.problem(409, "POST", "/execute/cancel/"+string(id), "")
	if p.Code != execution.Conflict || p.ExecutionStatus != execution.Completed || p.ExecutionID != id {
		t.Errorf("problem is %+v", p)
	}
}
