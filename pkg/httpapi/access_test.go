package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

func TestOnlyThoseWithATokenMayAsk(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	for _, route := range []string{
		"POST /execute/start", "POST /execute", "GET /execute", "POST /agent/run", "GET /execute/list", "GET /engines", "GET /workers", "GET /version", "GET /metrics", "GET /monitoring",
		"GET /execute/status/%s", "GET /execute/output/%s", "GET /execute/stream/%s", "GET /outputs/%s", "GET /outputs/%s/a/b", "POST /execute/cancel/%s", "POST /execute/stream-token/%s",
	} {
		method, path, _ := strings.Cut(route, " ")
		if strings.Contains(path, "%s") {
			path = fmt.Sprintf(path, id)
		}
		for _, header := range []string{"", "Bearer wrong", "Basic " + token, "Bearer"} {
			p, h := w.problem(401, method, path, "", "Authorization", header)
			if p.Code != execution.Unauthorized || !strings.Contains(p.Detail, "API_TOKENS") || h.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %q: %+v", route, header, p)
			}
		}
	}
	for _, path := range []string{"/health", "/ready", "/docs", "/docs/init.js", "/docs/standalone.js", "/openapi.json", "/openapi.yaml", "/problems", "/problems/invalid"} {
		if res := w.do("GET", path, "", "Authorization", ""); res.StatusCode != http.StatusOK {
			t.Errorf("%s without a token: %d", path, res.StatusCode)
		}
	}
	for _, header := range []string{"Bearer another", "bearer " + token} {
		call[api.List](w, 200, "GET", "/execute/list", "", "Authorization", header)
	}
}

func TestAServerWithoutTokensIsOpen(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.Tokens = nil })
	call[api.List](w, 200, "GET", "/execute/list", "", "Authorization", "")
}

func TestAStreamTokenReadsOneExecutionAndNothingElse(t *testing.T) {
	w := newWorld(t)
	started, _ := call[api.Started](w, 202, "POST", "/execute/start", `{"command":"python"}`)
	id := string(started.ID)
	w.store.start(started.ID)
	w.store.finish(started.ID)
	query := "?token=" + started.StreamToken
	for _, path := range []string{"/execute/status/", "/execute/output/", "/execute/stream/", "/outputs/"} {
		if res := w.do("GET", path+id+query, "", "Authorization", ""); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	for _, route := range []string{"POST /execute/cancel/" + id, "POST /execute/stream-token/" + id, "GET /execute/list", "GET /engines", "GET /workers"} {
		method, path, _ := strings.Cut(route, " ")
		if p, _ := w.problem(401, method, path+query, "", "Authorization", ""); !strings.Contains(p.Detail, "only reads") {
			t.Errorf("%s: %s", route, p.Detail)
		}
	}
	other := string(w.begin())
	for _, wrong := range []string{query, "?token=x", "?token=1.x", query + "x", "?token=9" + started.StreamToken} {
		id := id
		if wrong == query {
			id = other
		}
		if p, _ := w.problem(401, "GET", "/execute/stream/"+id+wrong, "", "Authorization", ""); !strings.Contains(p.Detail, "not for this execution") {
			t.Errorf("%s: %s", wrong, p.Detail)
		}
	}
	renewed, header := call[api.StreamToken](w, 200, "POST", "/execute/stream-token/"+id, "")
	if res := w.do("GET", "/execute/status/"+id+"?token="+renewed.Token, "", "Authorization", ""); res.StatusCode != http.StatusOK || header.Get("Cache-Control") != "no-store" {
		t.Errorf("the renewed token: %d", res.StatusCode)
	}
}

func TestAnExpiredStreamTokenSaysHowToRenewIt(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	w := newWorld(t, func(o *httpapi.Options) {
		o.MaxSSE = time.Hour
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	started, _ := call[api.Started](w, 202, "POST", "/execute/start", `{"command":"python"}`)
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	p, _ := w.problem(401, "GET", "/execute/stream/"+string(started.ID)+"?token="+started.StreamToken, "", "Authorization", "")
	if !strings.Contains(p.Detail, "expired") || !strings.Contains(p.Detail, "stream-token") || !strings.Contains(p.Detail, "MAX_SSE_DURATION") {
		t.Error(p.Detail)
	}
}

// syncBuffer is a log that may be read while others write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestNoTokenIsEverLogged(t *testing.T) {
	log := &syncBuffer{}
	w := newWorld(t, func(o *httpapi.Options) {
		o.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	started, _ := call[api.Started](w, 202, "POST", "/execute/start", `{"command":"python"}`)
	w.do("GET", "/execute/status/"+string(started.ID)+"?token="+started.StreamToken, "", "Authorization", "")
	w.do("GET", "/execute/status/"+string(started.ID)+"?token=mistyped-token", "", "Authorization", "")
	w.waitServed("/execute/status/" + string(started.ID))
	w.waitServed("/execute/status/" + string(started.ID))
	text := log.String()
	for _, secret := range []string{token, started.StreamToken, "mistyped-token"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log: %s", secret, text)
		}
	}
	if !strings.Contains(text, `"path":"/execute/status/`) {
		t.Errorf("the request is not in the log: %s", text)
	}
}

func TestARequestIDIsTakenWhenItIsHarmless(t *testing.T) {
	w := newWorld(t)
	for given, taken := range map[string]bool{"abc-1:2_3.4": true, "a b": false, strings.Repeat("x", 65): false, `"><script>`: false} {
		got := w.do("GET", "/health", "", "X-Request-Id", given).Header.Get("X-Request-Id")
		if (got == given) != taken || got == "" {
			t.Errorf("%q became %q", given, got)
		}
	}
}

func TestBrowsersOfListedOriginsMayAsk(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.CORSOrigins = []string{"https://app.example"} })
	pre := w.do("OPTIONS", "/execute/start", "", "Authorization", "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST")
	allowed := pre.Header.Get("Access-Control-Allow-Headers")
	if pre.StatusCode != http.StatusNoContent || pre.Header.Get("Access-Control-Allow-Origin") != "https://app.example" || !strings.Contains(allowed, "Idempotency-Key") || !strings.Contains(allowed, "Last-Event-ID") {
		t.Errorf("preflight: %d %v", pre.StatusCode, pre.Header)
	}
	res := w.do("POST", "/execute/start", `{"command":"python"}`, "Origin", "https://app.example")
	for _, name := range []string{"Location", "X-Execution-Id", "Retry-After", "ETag", "Idempotency-Replayed", "Link"} {
		if !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), name) {
			t.Errorf("%s is not exposed", name)
		}
	}
	if res.Header.Get("Vary") != "Origin" {
		t.Errorf("Vary is %q", res.Header.Get("Vary"))
	}
	foreign := w.do("POST", "/execute/start", `{"command":"python"}`, "Origin", "https://evil.example")
	if got := foreign.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("a foreign origin got %q", got)
	}
	any := newWorld(t, func(o *httpapi.Options) { o.CORSOrigins = []string{"*"} })
	if got := any.do("GET", "/health", "", "Origin", "https://x.example").Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("* gives %q", got)
	}
}

func TestHealthIsExactlyAsInTheSeed(t *testing.T) {
	w := newWorld(t)
	if got := string(readAll(t, w.do("GET", "/health", ""))); got != `{"status":"ok"}` {
		t.Error(got)
	}
	if res := w.do("HEAD", "/health", ""); res.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
}

func TestReadySaysWhatIsAwayAndSinceWhen(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	healthy, degrades := true, false
	w := newWorld(t, func(o *httpapi.Options) {
		o.Health = func(context.Context) []httpapi.Check {
			return []httpapi.Check{{Name: "redis", OK: healthy, Degrades: degrades, Detail: "connection refused", Since: since}}
		}
	})
	if ready, _ := call[api.Ready](w, 200, "GET", "/ready", ""); ready.Status != "ready" || len(ready.Checks) != 1 {
		t.Errorf("ready says %+v", ready)
	}
	healthy, degrades = false, true
	if ready, _ := call[api.Ready](w, 200, "GET", "/ready", ""); ready.Status != "degraded" || ready.Checks[0].OK || ready.Checks[0].Detail == "" {
		t.Errorf("ready says %+v", ready)
	}
	degrades = false
	ready, header := call[api.Ready](w, 503, "GET", "/ready", "")
	if c := ready.Checks[0]; ready.Status != "not_ready" || c.Name != "redis" || !c.Since.Equal(since) || header.Get("Retry-After") == "" {
		t.Errorf("ready says %+v", ready)
	}
}

// A worker answers for itself only.
func TestAHealthServerHasNoOtherRoutes(t *testing.T) {
	serve := func(token string) *httpapi.Server {
		return httpapi.NewHealth(httpapi.Options{
			MetricsToken: token, Metrics: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("up 1\n")) }),
			Health: func(context.Context) []httpapi.Check { return []httpapi.Check{{Name: "disk"}} },
		})
	}
	ask := func(s *httpapi.Server, path, host, token string) (int, string) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		req.Host = host
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		return rec.Code, rec.Body.String()
	}
	guarded, open := serve("scraper"), serve("")
	for _, tt := range []struct {
		server            *httpapi.Server
		path, host, token string
		code              int
		body              string
	}{
		{guarded, "/health", "10.0.0.7:8081", "", 200, `{"status":"ok"}`},
		{guarded, "/ready", "10.0.0.7:8081", "", 503, `"not_ready"`},
		{guarded, "/metrics", "10.0.0.7:8081", "scraper", 200, "up 1"},
		{guarded, "/metrics", "127.0.0.1:8081", "", 401, "METRICS_TOKEN"},
		{guarded, "/metrics", "127.0.0.1:8081", "wrong", 401, "METRICS_TOKEN"},
		{open, "/metrics", "127.0.0.1:8081", "", 200, "up 1"},
		{open, "/metrics", "10.0.0.7:8081", "", 403, "METRICS_TOKEN"},
		{open, "/execute/list", "127.0.0.1:8081", "", 404, "not_found"},
		{open, "/openapi.json", "127.0.0.1:8081", "", 404, "not_found"},
	} {
		if code, body := ask(tt.server, tt.path, tt.host, tt.token); code != tt.code || !strings.Contains(body, tt.body) {
			t.Errorf("%s at %s with %q: %d %s", tt.path, tt.host, tt.token, code, body)
		}
	}
	guarded.Drain()
	if code, body := ask(guarded, "/ready", "x", ""); code != 503 || !strings.Contains(body, `"draining"`) {
		t.Errorf("draining: %d %s", code, body)
	}
}

func TestMetricsAreForTheirOwnTokenToo(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) {
		o.MetricsToken = "scraper"
		o.Metrics = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = rw.Write([]byte("up 1\n"))
		})
	})
	for header, want := range map[string]int{"Bearer scraper": 200, "Bearer " + token: 200, "": 401, "Bearer x": 401} {
		if res := w.do("GET", "/metrics", "", "Authorization", header); res.StatusCode != want {
			t.Errorf("%q: %d, want %d", header, res.StatusCode, want)
		}
	}
	w.problem(401, "GET", "/execute/list", "", "Authorization", "Bearer scraper")
	bare := newWorld(t)
	bare.problem(404, "GET", "/metrics", "")
}

func TestEnginesShowTheCatalog(t *testing.T) {
	w := newWorld(t)
	list, _ := call[api.Engines](w, 200, "GET", "/engines", "")
	if len(list.Engines) != 1 || list.Engines[0].Name != "agent" || list.Engines[0].Defaults.TimeoutSeconds != 60 {
		t.Errorf("engines are %+v", list)
	}
	if v, _ := call[api.Version](w, 200, "GET", "/version", ""); v.Version != "1.2.3" {
		t.Errorf("version is %+v", v)
	}
}

func TestAServerWithoutTokensTrustsThisMachineAndNotEveryWebPage(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.Tokens, o.CORSOrigins = nil, []string{"https://app.example.com"} })
	id := w.run("x")
	for _, tt := range []struct {
		name   string
		header []string
		want   int
	}{
		{"curl", nil, 200},
		{"its own page", []string{"Origin", w.url, "Sec-Fetch-Site", "same-origin"}, 200},
		{"a page of CORS_ORIGINS", []string{"Origin", "https://app.example.com", "Sec-Fetch-Site", "cross-site"}, 200},
		{"another page", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"an image of another page", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page by a name that leads here", []string{"Host", "evil.example"}, 403},
		{"localhost", []string{"Host", "localhost:8080"}, 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/execute/status/"+string(id), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(tt.header); i += 2 {
			if tt.header[i] == "Host" {
				req.Host = tt.header[i+1]
			} else {
				req.Header.Set(tt.header[i], tt.header[i+1])
			}
		}
		res, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, res.StatusCode, tt.want)
		}
	}
}
