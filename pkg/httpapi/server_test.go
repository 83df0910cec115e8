package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
	"github.com/longhaul/longhaul/pkg/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "test-token"

// world is a server on a loopback port with a store behind it. Its client holds
// every response against the OpenAPI document.
type world struct {
	t     *testing.T
	store *store
	hub   *hub.Hub
	srv   *httpapi.Server
	url   string
	http  *http.Client
	// served gets the path of each request that has been answered to the end.
	served chan string
}

func newWorld(t *testing.T, change ...func(*httpapi.Options)) *world {
	t.Helper()
	w := &world{t: t, store: newStore(), served: make(chan string, 1000)}
	h := hub.New(w.store, w.store, hub.Options{Encode: httpapi.EncodeSSE})
	w.hub = h
	o := httpapi.Options{
		Dispatcher: w.store, Records: w.store, Events: w.store, Bells: w.store,
		Hub: h, Catalog: catalog{}, Tokens: []string{"another", token}, StreamSecret: []byte("secret"),
		WebhookOK: func(_ context.Context, url string) error {
			if strings.Contains(url, "//10.") {
				return errors.New("is in a private network")
			}
			return nil
		},
		Version: "1.2.3", MaxRequestBytes: 4096, KeepAlive: time.Minute,
	}
	for _, c := range change {
		c(&o)
	}
	log := slog.DiscardHandler
	if o.Logger != nil {
		log = o.Logger.Handler()
	}
	o.Logger = slog.New(servedPaths{log, w.served})
	w.srv = httpapi.New(o)
	ts := httptest.NewUnstartedServer(w.srv)
	httpapi.Configure(ts.Config)
	ts.Start()
	w.url, w.http = ts.URL, &http.Client{Transport: &contract{t, &http.Transport{}}}
	t.Cleanup(func() {
		w.srv.Drain()
		w.http.CloseIdleConnections()
		ts.Close()
		if err := w.srv.Wait(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := h.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return w
}

// do sends a request with the API token unless the headers say otherwise.
func (w *world) do(method, path, body string, headers ...string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// call is do with a JSON answer.
func call[T any](w *world, want int, method, path, body string, headers ...string) (T, http.Header) {
	w.t.Helper()
	res := w.do(method, path, body, headers...)
	data := readAll(w.t, res)
	var v T
	if res.StatusCode != want {
		w.t.Fatalf("%s %s: status %d, want %d: %s", method, path, res.StatusCode, want, data)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		w.t.Fatalf("%s %s: %v in %s", method, path, err, data)
	}
	return v, res.Header
}

func readAll(t *testing.T, res *http.Response) []byte {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(data)
}

// begin starts an execution.
func (w *world) begin() execution.ID {
	w.t.Helper()
	started, _ := call[api.Started](w, http.StatusAccepted, "POST", "/execute/start", `{"command":"python","args":["main.py"]}`)
	return started.ID
}

// run starts an execution and lets it speak and end.
func (w *world) run(lines ...string) execution.ID {
	w.t.Helper()
	id := w.begin()
	w.store.start(id)
	for _, line := range lines {
		w.store.log(id, execution.Stdout, line)
	}
	w.store.finish(id)
	return id
}

// servedPaths passes the path of each line about a request on.
type servedPaths struct {
	slog.Handler
	to chan<- string
}

func (s servedPaths) Enabled(context.Context, slog.Level) bool { return true }

func (s servedPaths) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "request" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "path" {
				s.to <- a.Value.String()
			}
			return true
		})
	}
	if !s.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return s.Handler.Handle(ctx, r)
}

// waitServed waits until a request for path has been answered to the end.
func (w *world) waitServed(path string) {
	w.t.Helper()
	for {
		select {
		case got := <-w.served:
			if got == path {
				return
			}
		case <-time.After(10 * time.Second):
			w.t.Fatalf("%s is still being answered", path)
		}
	}
}

// problem calls what must be refused.
func (w *world) problem(want int, method, path, body string, headers ...string) (api.Problem, http.Header) {
	w.t.Helper()
	p, header := call[api.Problem](w, want, method, path, body, headers...)
	if got := header.Get("Content-Type"); got != "application/problem+json" {
		w.t.Errorf("%s %s: Content-Type is %q", method, path, got)
	}
	bare, _, _ := strings.Cut(path, "?")
	if p.Status != want || p.Type != "/problems/"+string(p.Code) || p.Instance != bare ||
		p.RequestID != header.Get("X-Request-Id") || p.RequestID == "" || p.Title == "" || p.Detail == "" {
		w.t.Errorf("%s %s: the problem lacks something: %+v", method, path, p)
	}
	return p, header
}
