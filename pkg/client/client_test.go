package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const id execution.ID = "exec_1762548673499_vqx7d3cpo"

// serve answers one request after the other with the given handlers, the last
// of them again and again, and gives a client for it.
func serve(t *testing.T, o client.Options, handlers ...http.HandlerFunc) (*client.Client, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1)) - 1
		handlers[min(i, len(handlers)-1)](w, r)
	}))
	transport := &http.Transport{}
	o.HTTP = &http.Client{Transport: transport}
	t.Cleanup(func() { transport.CloseIdleConnections(); ts.Close() })
	c, err := client.New(ts.URL+"/", "the-token", o)
	if err != nil {
		t.Fatal(err)
	}
	return c, &n
}

func answer(status int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if _, ok := body.(api.Problem); ok {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "0")
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

// cut breaks the connection off without an answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestStartIsRepeatedUnderOneKey(t *testing.T) {
	var keys []string
	note := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			keys = append(keys, r.Header.Get("Idempotency-Key"))
			if r.Header.Get("Authorization") != "Bearer the-token" {
				t.Errorf("Authorization is %q", r.Header.Get("Authorization"))
			}
			var req api.StartRequest
			if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.Command != "python" {
				t.Errorf("body is %+v, %v", req, err)
			}
			next(w, r)
		}
	}
	c, _ := serve(t, client.Options{},
		note(cut), note(answer(502, "bad gateway")),
		note(answer(503, api.Problem{Code: execution.Unavailable, Detail: "away"})),
		note(answer(202, api.Started{ID: id})))
	started, err := c.Start(t.Context(), api.StartRequest{Command: "python"}, "")
	if err != nil || started.ID != id {
		t.Fatalf("got %+v, %v", started, err)
	}
	for _, key := range keys {
		if key == "" || key != keys[0] {
			t.Errorf("keys are %q", keys)
		}
	}
}

func TestWhatTryingOnCannotCureIsAnErrorAtOnce(t *testing.T) {
	for _, tt := range []struct {
		status int
		code   execution.Code
	}{
		{422, execution.Invalid},
		{401, execution.Unauthorized},
		{409, execution.IdempotencyUsed},
		{429, execution.QueueFull},
		{503, execution.StorageFull},
	} {
		c, n := serve(t, client.Options{}, answer(tt.status, api.Problem{
			Code: tt.code, Detail: "why", Errors: []execution.Field{{Location: "args[0]", Message: "is bad"}},
		}))
		_, err := c.Start(t.Context(), api.StartRequest{}, "k")
		p, ok := errors.AsType[*client.Problem](err)
		if !ok || p.Status != tt.status || execution.CodeOf(err) != tt.code || err.Error() != "why; args[0] is bad" || n.Load() != 1 {
			t.Errorf("%s: %v after %d tries", tt.code, err, n.Load())
		}
	}
}

func TestAnAnswerOfAProxyIsAProblemToo(t *testing.T) {
	c, _ := serve(t, client.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>nginx</html>", http.StatusBadGateway)
	})
	_, err := c.Status(t.Context(), id)
	if execution.CodeOf(err) != execution.Unavailable || strings.Contains(err.Error(), "nginx") || !strings.Contains(err.Error(), "502") {
		t.Errorf("error is %v", err)
	}
}

func TestWaitGoesOnUntilTheEnd(t *testing.T) {
	c, n := serve(t, client.Options{},
		answer(200, api.Execution{Status: execution.Queued}), cut,
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("wait") != "60s" {
				t.Errorf("query is %s", r.URL.RawQuery)
			}
			answer(200, api.Execution{Status: execution.Running})(w, r)
		},
		answer(200, api.Execution{Status: execution.Failed}))
	e, err := c.Wait(t.Context(), id)
	if err != nil || e.Status != execution.Failed || n.Load() != 4 {
		t.Errorf("got %+v, %v after %d tries", e, err, n.Load())
	}
}

func TestWaitEndsWithItsContextAndGivesUpInTheEnd(t *testing.T) {
	c, _ := serve(t, client.Options{}, cut)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Wait(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	hasty, _ := serve(t, client.Options{GiveUpAfter: time.Millisecond}, cut)
	if _, err := hasty.Wait(t.Context(), id); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
}

func TestATextThatIsBrokenOffIsAnError(t *testing.T) {
	c, _ := serve(t, client.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a part")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	var b bytes.Buffer
	if n, err := c.OutputText(t.Context(), id, &b, client.TextQuery{}); err == nil || n != 6 || b.String() != "a part" {
		t.Errorf("got %q, %d, %v", b.String(), n, err)
	}
}

func TestQueriesAreWhatTheServerReads(t *testing.T) {
	var got string
	note := func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.RequestURI()
		_, _ = io.WriteString(w, "{}")
	}
	c, _ := serve(t, client.Options{}, note)
	ctx := t.Context()
	for want, call := range map[string]func() error{
		"GET /execute/output/" + string(id) + "?after=3&limit=5&stream=stderr": func() error {
			_, err := c.Output(ctx, id, client.OutputQuery{After: 3, Limit: 5, Stream: "stderr"})
			return err
		},
		"GET /execute/output/" + string(id) + "?follow=true&format=text&stream=stdout&tail=9": func() error {
			_, err := c.OutputText(ctx, id, io.Discard, client.TextQuery{Follow: true, Tail: 9, Stream: "stdout"})
			return err
		},
		"GET /execute/list?cursor=c&engine=agent&label=team%3Da&limit=5&since=2026-01-02T03%3A04%3A05.000Z&status=queued%2Crunning": func() error {
			_, err := c.List(ctx, client.ListQuery{
				Status: []execution.Status{execution.Queued, execution.Running}, Engine: "agent", Labels: map[string]string{"team": "a"},
				Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Limit: 5, Cursor: "c",
			})
			return err
		},
		"POST /execute/cancel/" + string(id) + "?wait=15s": func() error { _, err := c.Cancel(ctx, id, 15*time.Second); return err },
		"POST /execute/cancel/" + string(id):               func() error { _, err := c.Cancel(ctx, id, 0); return err },
		"GET /outputs/" + string(id):                       func() error { _, err := c.Artifacts(ctx, id); return err },
		"GET /outputs/" + string(id) + "/a%20b/%C3%BC.txt": func() error { _, err := c.Download(ctx, id, "a b/ü.txt", io.Discard); return err },
		"GET /engines": func() error { _, err := c.Engines(ctx); return err },
	} {
		if err := call(); err != nil || got != want {
			t.Errorf("asked %s, want %s: %v", got, want, err)
		}
	}
}

func TestAURLThatIsNoneIsRefused(t *testing.T) {
	for _, bad := range []string{"", "localhost:8080", "ftp://x", "http://"} {
		if _, err := client.New(bad, "", client.Options{}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
