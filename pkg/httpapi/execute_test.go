package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

func TestExecuteStartsAndStreamsInOne(t *testing.T) {
	args := url.QueryEscape(`["a b","--c"]`)
	for _, tt := range []struct {
		name, method, path, body string
		args                     []string
	}{
		{"POST", "POST", "/execute", `{"command":"python","args":["a b","--c"]}`, []string{"a b", "--c"}},
		{"GET with repeated args", "GET", "/execute?command=python&args=a%20b&args=--c", "", []string{"a b", "--c"}},
		{"GET with one list", "GET", "/execute?command=python&args=" + args, "", []string{"a b", "--c"}},
		{"GET with one arg", "GET", "/execute?command=python&args=a,b", "", []string{"a,b"}},
		{"GET with params", "GET", "/execute?engine=agent&params=%7B%22q%22%3A1%7D&timeout_seconds=9", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			res := w.do(tt.method, tt.path, tt.body)
			id := execution.ID(res.Header.Get("X-Execution-Id"))
			s := streamOf(t, res)
			if f, _ := s.next(); f.retry == "" {
				t.Errorf("first comes %+v", f)
			}
			if f, _ := s.next(); f.event != "status" || f.id != string(id)+":1" {
				t.Errorf("then comes %+v", f)
			}
			rec, err := w.store.Get(t.Context(), id)
			if err != nil || !slices.Equal(rec.Spec.Args, tt.args) {
				t.Errorf("started %+v, %v", rec, err)
			}
			w.store.start(id)
			w.store.finish(id)
			frames := s.rest()
			if f := frames[len(frames)-1]; f.event != "end" {
				t.Errorf("last comes %+v", f)
			}
		})
	}
}

func TestAnEventSourceThatReconnectsToExecuteStartsNothing(t *testing.T) {
	w := newWorld(t)
	res := w.do("GET", "/execute?command=python", "")
	id := res.Header.Get("X-Execution-Id")
	s := streamOf(t, res)
	_, _ = s.next()
	f, _ := s.next()
	w.store.start(execution.ID(id))
	again := streamOf(t, w.do("GET", "/execute?command=python", "", "Last-Event-ID", f.id))
	_, _ = again.next()
	if f, _ = again.next(); f.id != id+":2" {
		t.Errorf("it goes on with %+v", f)
	}
	w.store.finish(execution.ID(id))
	if res := w.do("GET", "/execute?command=python", "", "Last-Event-ID", id+":3"); res.StatusCode != http.StatusNoContent {
		t.Errorf("after the end: %d", res.StatusCode)
	}
	w.problem(422, "GET", "/execute?command=python", "", "Last-Event-ID", "2")
	if n := len(w.store.order); n != 1 {
		t.Errorf("%d executions were started", n)
	}
}

func TestACutLineLeavesTheExecutionRunningUnlessAskedOtherwise(t *testing.T) {
	for _, tt := range []struct {
		query  string
		wanted bool
	}{{"", false}, {"?on_disconnect=continue", false}, {"?on_disconnect=cancel", true}} {
		w := newWorld(t)
		ctx, hangUp := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/execute"+tt.query, strings.NewReader(`{"command":"python"}`))
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		s := streamOf(t, res)
		_, _ = s.next()
		_, _ = s.next()
		id := execution.ID(res.Header.Get("X-Execution-Id"))
		w.store.start(id)
		hangUp()
		w.waitServed("/execute")
		if rec, _ := w.store.Get(t.Context(), id); rec.CancelRequestedAt.IsZero() == tt.wanted {
			t.Errorf("%q: cancel asked for at %v", tt.query, rec.CancelRequestedAt)
		}
	}
}

func TestRotationAndDrainCancelNothing(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.ResponseLimit = time.Millisecond })
	res := w.do("POST", "/execute?on_disconnect=cancel", `{"command":"python"}`)
	streamOf(t, res).rest()
	w.waitServed("/execute")
	w.srv.Drain()
	other := w.do("POST", "/execute?on_disconnect=cancel", `{"command":"python"}`)
	streamOf(t, other).rest()
	w.waitServed("/execute")
	for _, id := range w.store.order {
		if rec, _ := w.store.Get(t.Context(), id); !rec.CancelRequestedAt.IsZero() {
			t.Errorf("%s was cancelled", id)
		}
	}
}

// spoken joins data as a client does: lines of an event by line ends, events as
// they are.
func spoken(frames []sseFrame) (text string) {
	for _, f := range frames {
		if f.event == "" && f.retry == "" && f.comment == "" {
			text += f.data
		}
	}
	return text
}

func TestAnAgentIsHeardTokenByTokenAsInTheSeed(t *testing.T) {
	w := newWorld(t)
	res := w.do("POST", "/agent/run", `{"input": "what is new?", "n": 1.50}`)
	id := execution.ID(res.Header.Get("X-Execution-Id"))
	rec, err := w.store.Get(t.Context(), id)
	if err != nil || rec.Spec.Engine != "agent" || string(rec.Spec.Input) != `{"input": "what is new?", "n": 1.50}` {
		t.Fatalf("started %+v, %v", rec, err)
	}
	s := streamOf(t, res)
	_, _ = s.next()
	w.store.start(id)
	w.store.log(id, execution.Stdout, "Hel")
	if f, _ := s.next(); f.data != "Hel" || f.event != "" || f.id != string(id)+":3" {
		t.Errorf("first token is %+v", f)
	}
	w.store.log(id, execution.Stderr, "loading weights")
	for _, token := range []string{"lo ", "w\xc3", "\xb6rld", "\n\n", " two\nlines\n", "\n"} {
		w.store.log(id, execution.Stdout, token)
	}
	w.store.finish(id)
	frames := s.rest()
	if got, want := spoken(frames), "lo wörld\n\n two\nlines\n\n"; got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
	if f := frames[len(frames)-1]; f.event != "end" || !strings.Contains(f.data, "completed") {
		t.Errorf("last comes %+v", f)
	}
	for _, f := range frames {
		if f.event == "error" {
			t.Errorf("an error came: %+v", f)
		}
	}
	// Its ids go on at the stream of all events.
	rest := streamOf(t, w.do("GET", "/execute/stream/"+string(id), "", "Last-Event-ID", string(id)+":9"))
	if got := shape(rest.rest()); got != "retry 10:log 11:end" {
		t.Errorf("resumed with %s", got)
	}
}

func TestAnAgentThatFailsSaysSoBeforeTheEnd(t *testing.T) {
	w := newWorld(t)
	res := w.do("POST", "/agent/run", `{}`)
	id := execution.ID(res.Header.Get("X-Execution-Id"))
	w.store.start(id)
	w.store.log(id, execution.Stdout, "cut within a character \xe2\x82")
	w.store.end(id, execution.Outcome{Status: execution.Timeout, Reason: execution.ReasonTimeout})
	frames := streamOf(t, res).rest()
	if got := spoken(frames); got != "cut within a character \uFFFD" {
		t.Errorf("heard %q", got)
	}
	end := frames[len(frames)-2:]
	var p api.Problem
	if err := json.Unmarshal([]byte(end[0].data), &p); err != nil || end[0].event != "error" || end[1].event != "end" {
		t.Fatalf("it ends with %+v: %v", end, err)
	}
	if p.Code != api.CodeUnfinished || p.ExecutionStatus != execution.Timeout || p.ExecutionID != id || p.Type != "/problems/execution_failed" {
		t.Errorf("problem is %+v", p)
	}
}
