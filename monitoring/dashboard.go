package main

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynqmon"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

// root is where the dashboard is, so that a proxy can put it beside the API.
const root = "/monitoring"

// options of a dashboard.
type options struct {
	redisURL  string
	tokens    []string
	canceller canceller // nil: for looking only
	log       *slog.Logger
	now       func() time.Time
}

// dashboard is asynqmon with a door before it. asynqmon itself asks nobody who
// they are, takes a write from any page of the web, and shows payloads as they are.
type dashboard struct {
	options
	sessions sessions
	asynqmon *asynqmon.HTTPHandler
	index    *index
	mux      http.ServeMux
}

func newDashboard(o options) (*dashboard, error) {
	probe, err := redisstore.Dial(o.redisURL) // connects to nothing: Redis may still be starting
	if err != nil {
		return nil, err
	}
	_ = probe.Close()
	d := &dashboard{options: o, sessions: newSessions(o.tokens, o.now)}
	d.asynqmon = asynqmon.New(asynqmon.Options{
		RootPath: root, RedisConnOpt: connection(o.redisURL), ReadOnly: o.canceller == nil,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(onlyIDs), ResultFormatter: asynqmon.ResultFormatterFunc(onlyIDs),
	})
	d.index = newIndex(d.asynqmon)
	d.mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}`))
	})
	d.mux.Handle("GET /{$}", http.RedirectHandler(root+"/", http.StatusFound))
	d.mux.HandleFunc("GET "+root+"/login", d.loginPage)
	d.mux.HandleFunc("POST "+root+"/login", d.login)
	d.mux.HandleFunc("POST "+root+"/logout", d.logout)
	d.mux.HandleFunc(root+"/", d.inside)
	return d, nil
}

// Close closes asynqmon's connections.
func (d *dashboard) Close() error { return d.asynqmon.Close() }

// ServeHTTP implements http.Handler.
func (d *dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", d.index.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would make the Origin of our own form "null"
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	d.mux.ServeHTTP(w, r)
}

// inside is all that needs a log-in: first who, then what.
func (d *dashboard) inside(w http.ResponseWriter, r *http.Request) {
	api := strings.HasPrefix(r.URL.Path, root+"/api/")
	switch {
	case !d.sessions.admit(r):
		d.sendAway(w, r, api)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		d.write(w, r)
	case api:
		bound(r)
		d.asynqmon.ServeHTTP(w, r)
	case isAsset(r.URL.Path):
		w.Header().Set("Cache-Control", "private, max-age=86400")
		d.asynqmon.ServeHTTP(w, r)
	default:
		d.index.ServeHTTP(w, r)
	}
}

// isAsset tells files from the pages that asynqmon's script makes: /queues/default
// is one, and so is /queues/default/tasks/exec_1_a.1, for all its dot.
func isAsset(path string) bool {
	path = strings.TrimPrefix(path, root+"/")
	return strings.HasPrefix(path, "static/") || !strings.Contains(path, "/") && strings.Contains(path, ".")
}

// mostPerPage: asynqmon reads as many tasks into memory as a page asks for.
const mostPerPage = 100

func bound(r *http.Request) {
	q := r.URL.Query()
	if n, err := strconv.Atoi(q.Get("size")); err == nil && n > mostPerPage {
		q.Set("size", strconv.Itoa(mostPerPage))
		r.URL.RawQuery = q.Encode()
	}
}

const hidden = "(not shown: it is no execution's id)"

// onlyIDs shows a payload or result if it is an execution's id, which is all
// that Longhaul ever puts there, and says nothing of anything else.
func onlyIDs(_ string, data []byte) string {
	if len(data) == 0 {
		return ""
	}
	id, err := execution.ParseID(string(data))
	if err != nil {
		return hidden
	}
	return string(id)
}

// connection gives asynqmon clients of the forms that REDIS_URL may have.
type connection string

// MakeRedisClient implements asynq.RedisConnOpt. asynqmon asks twice and closes both.
func (c connection) MakeRedisClient() any {
	client, err := redisstore.Dial(string(c))
	if err != nil {
		panic(err) // newDashboard has tried it
	}
	return client
}
