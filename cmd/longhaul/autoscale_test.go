package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
)

// standIn is Railway's API as its documentation has it, and a Longhaul server.
type standIn struct {
	mu       sync.Mutex // guards the rest
	replicas *int
	sets     []int
	header   http.Header // of the last query
	bad      []string    // what was wrong with queries
	status   int         // if set, the answer
	says     string      // if set, the error in an answer of status 200
	line     api.QueueStats
	query    string // of the last question about the line
	asked    chan struct{}
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/health":
		return
	case "/queue/stats":
		s.query = r.URL.RawQuery
		_ = json.NewEncoder(w).Encode(s.line)
		return
	}
	var q struct {
		Query     string
		Variables struct {
			Service, Environment string
			Input                map[string]any
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Method != http.MethodPost || q.Variables.Service != "svc" || q.Variables.Environment != "env" {
		s.bad = append(s.bad, fmt.Sprintf("%s %+v %v", r.Method, q, err))
	}
	s.header = r.Header
	defer func() {
		select {
		case s.asked <- struct{}{}:
		default:
		}
	}()
	switch {
	case s.status != 0:
		w.Header().Set("Retry-After", "7")
		http.Error(w, "not now", s.status)
	case s.says != "":
		fmt.Fprintf(w, `{"errors":[{"message":%q}],"data":null}`, s.says)
	case strings.HasPrefix(q.Query, "query") && strings.Contains(q.Query, "serviceInstance(serviceId: $service, environmentId: $environment)"):
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"serviceInstance": map[string]any{"numReplicas": s.replicas}}})
	case strings.HasPrefix(q.Query, "mutation") && strings.Contains(q.Query, "serviceInstanceUpdate(serviceId: $service, environmentId: $environment, input: $input)"):
		n, ok := q.Variables.Input["numReplicas"].(float64)
		if !ok || len(q.Variables.Input) != 1 {
			s.bad = append(s.bad, fmt.Sprint(q.Variables.Input))
		}
		have := int(n)
		s.replicas, s.sets = &have, append(s.sets, have)
		_, _ = io.WriteString(w, `{"data":{"serviceInstanceUpdate":true}}`)
	default:
		s.bad = append(s.bad, q.Query)
	}
}

func (s *standIn) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func startStandIn(t *testing.T, replicas int) (*standIn, *railway) {
	t.Helper()
	s := &standIn{replicas: &replicas, asked: make(chan struct{}, 1)}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	t.Cleanup(func() {
		for _, b := range s.bad {
			t.Errorf("Railway would not know what to do with %s", b)
		}
	})
	return s, &railway{url: srv.URL + "/graphql/v2", token: "tok", service: "svc", environment: "env", http: srv.Client()}
}

// moment is one look: what is wanted and runs then, and what is set in answer (0: nothing).
type moment struct {
	after         time.Duration
	wanted        int
	running       int64
	set, replicas int
}

func TestWorkersComeAtOnceAndGoAfterACalmPeriod(t *testing.T) {
	const calm = 5 * time.Minute
	for name, tt := range map[string]struct {
		replicas   int
		removeBusy bool
		dryRun     bool
		moments    []moment
	}{
		"up at once, and again": {replicas: 1, moments: []moment{
			{0, 3, 5, 3, 3}, {time.Second, 4, 15, 4, 4}, {time.Second, 4, 20, 0, 4},
		}},
		"never beyond the most": {replicas: 9, moments: []moment{{0, 14, 60, 10, 10}, {0, 14, 60, 0, 10}}},
		"down after the calm, to the most that was wanted in it": {replicas: 6, moments: []moment{
			{0, 1, 0, 0, 6},
			{calm / 2, 3, 0, 0, 6},
			{calm/2 - time.Second, 1, 0, 0, 6},
			{time.Second, 1, 0, 3, 3},
			{time.Second, 1, 0, 0, 3},
			{calm, 1, 0, 1, 1},
		}},
		"a line that comes back begins the calm anew": {replicas: 4, moments: []moment{
			{0, 1, 0, 0, 4}, {calm - time.Second, 4, 0, 0, 4}, {time.Second, 1, 0, 0, 4}, {calm - time.Second, 1, 0, 0, 4}, {time.Second, 1, 0, 1, 1},
		}},
		"nobody goes while anything runs": {replicas: 4, moments: []moment{
			{0, 1, 1, 0, 4}, {2 * calm, 1, 1, 0, 4}, {calm, 1, 1, 0, 4}, {time.Second, 1, 0, 1, 1},
		}},
		"unless the drain is long enough, and then as many stay as what runs needs": {replicas: 4, removeBusy: true, moments: []moment{
			{0, 2, 9, 0, 4}, {calm, 2, 9, 2, 2},
		}},
		"a dry run sets nothing": {replicas: 2, dryRun: true, moments: []moment{{0, 5, 0, 0, 2}, {0, 1, 0, 0, 2}, {calm, 1, 0, 0, 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			rail, r := startStandIn(t, tt.replicas)
			now := time.Unix(1e9, 0)
			var line api.QueueStats
			s := &scaler{
				ask:      func(context.Context) (*api.QueueStats, error) { return &line, nil },
				platform: r, most: 10, calm: calm, removeBusy: tt.removeBusy, dryRun: tt.dryRun,
				log: slog.New(slog.DiscardHandler), now: func() time.Time { return now },
			}
			for i, m := range tt.moments {
				now = now.Add(m.after)
				line = api.QueueStats{WantedReplicas: m.wanted, Running: m.running}
				rail.sets = nil
				if err := s.step(t.Context()); err != nil {
					t.Fatal(err)
				}
				var want []int
				if m.set != 0 {
					want = []int{m.set}
				}
				if !reflect.DeepEqual(rail.sets, want) || *rail.replicas != m.replicas {
					t.Fatalf("look %d: set %v to have %d, want %v to have %d", i, rail.sets, *rail.replicas, want, m.replicas)
				}
			}
		})
	}
}

func TestAFailedChangeIsTriedAgainAtOnce(t *testing.T) {
	rail, r := startStandIn(t, 3)
	now := time.Unix(1e9, 0)
	s := &scaler{
		ask: func(context.Context) (*api.QueueStats, error) {
			return &api.QueueStats{WantedReplicas: 1}, nil
		},
		platform: failing{r}, most: 10, calm: time.Minute, log: slog.New(slog.DiscardHandler), now: func() time.Time { return now },
	}
	if err := s.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if err := s.step(t.Context()); err == nil {
		t.Fatal("nobody would know")
	}
	s.platform = r
	if err := s.step(t.Context()); err != nil || *rail.replicas != 1 {
		t.Errorf("%d replicas, %v", *rail.replicas, err)
	}
}

type failing struct{ platform }

func (failing) SetReplicas(context.Context, int) error { return errors.New("no") }

func TestRailwaysAnswersAreUnderstood(t *testing.T) {
	rail, r := startStandIn(t, 2)
	if n, err := r.Replicas(t.Context()); n != 2 || err != nil || rail.header.Get("Authorization") != "Bearer tok" || rail.header.Get("Project-Access-Token") != "" {
		t.Errorf("%d %v %v", n, err, rail.header)
	}
	r.project = true
	rail.replicas = nil
	if n, err := r.Replicas(t.Context()); n != 1 || err != nil || rail.header.Get("Project-Access-Token") != "tok" || rail.header.Get("Authorization") != "" {
		t.Errorf("%d %v %v", n, err, rail.header)
	}
	rail.says = "Not Authorized"
	if err := r.SetReplicas(t.Context(), 3); !errors.Is(err, errToken) || !strings.Contains(err.Error(), "RAILWAY_TOKEN") {
		t.Errorf("%v", err)
	}
	rail.says = "Problem processing request"
	if err := r.SetReplicas(t.Context(), 3); errors.Is(err, errToken) || err == nil || !strings.Contains(err.Error(), rail.says) || strings.Contains(err.Error(), "tok") {
		t.Errorf("%v", err)
	}
	rail.says, rail.status = "", http.StatusUnauthorized
	if _, err := r.Replicas(t.Context()); !errors.Is(err, errToken) {
		t.Errorf("%v", err)
	}
	rail.status = http.StatusTooManyRequests
	_, err := r.Replicas(t.Context())
	if b, ok := errors.AsType[*busy](err); !ok || b.wait != 7*time.Second {
		t.Errorf("%v", err)
	}
	if p := later(time.Second, err); p != 7*time.Second {
		t.Errorf("it comes back after %v", p)
	}
	if p := later(time.Minute, errors.New("other")); p != 2*time.Minute {
		t.Errorf("it comes back after %v", p)
	}
	if p := later(time.Hour, errors.New("other")); p != mostPause {
		t.Errorf("it comes back after %v", p)
	}
}

// lines is a log that tells of each line.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func TestTheCommandScalesGoesOnAfterErrorsAndEnds(t *testing.T) {
	rail, r := startStandIn(t, 1)
	rail.line = api.QueueStats{WantedReplicas: 4, Depth: 20}
	t.Setenv("LONGHAUL_URL", strings.TrimSuffix(r.url, "/graphql/v2"))
	t.Setenv("LONGHAUL_TOKEN", "watch")
	t.Setenv("RAILWAY_TOKEN", "project-secret")
	t.Setenv("RAILWAY_API_TOKEN", "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &lines{}
	c := root()
	c.SetOut(out)
	c.SetArgs([]string{"autoscale", "--service", "svc", "--environment", "env", "--slots", "5", "--max", "6", "--every", "1s", "--railway-api", r.url})
	ended := make(chan error, 1)
	go func() { ended <- c.ExecuteContext(ctx) }()
	until := func(what string, fine func() bool) {
		t.Helper()
		for end := time.After(time.Minute); ; {
			var ok bool
			rail.change(func() { ok = fine() })
			if ok {
				return
			}
			select {
			case <-rail.asked:
			case err := <-ended:
				t.Fatalf("%s: it ended: %v\n%s", what, err, out)
			case <-end:
				t.Fatalf("%s: %s", what, out)
			}
		}
	}
	until("more workers", func() bool { return len(rail.sets) == 1 && rail.sets[0] == 4 })
	rail.change(func() {
		if rail.query != "max=6&min=1&slots=5" || rail.header.Get("Project-Access-Token") != "project-secret" {
			t.Errorf("it asks %q with %v", rail.query, rail.header)
		}
	})
	rail.change(func() { rail.status, rail.line.WantedReplicas = http.StatusBadGateway, 5 })
	for end := time.Now().Add(time.Minute); !strings.Contains(out.String(), "could not look"); {
		if time.Now().After(end) {
			t.Fatalf("an error is not told: %s", out)
		}
		<-rail.asked
	}
	rail.change(func() { rail.status = 0 })
	until("on again", func() bool { return len(rail.sets) == 2 && rail.sets[1] == 5 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("the log has the token: %s", out)
	}
}

func TestTheCommandSaysWhatIsMissing(t *testing.T) {
	rail, r := startStandIn(t, 1)
	t.Setenv("RAILWAY_ENVIRONMENT_ID", "")
	t.Setenv("LONGHAUL_URL", strings.TrimSuffix(r.url, "/graphql/v2"))
	rail.status = http.StatusForbidden
	for _, tt := range []struct {
		args        string
		token, says string
	}{
		{"", "x", "--service"},
		{"--service svc", "x", "--environment"},
		{"--service svc --environment env --min 0", "x", "--min"},
		{"--service svc --environment env --min 3 --max 2", "x", "--max"},
		{"--service svc --environment env --every 10ms", "x", "--every"},
		{"--service svc --environment env --slots -1", "x", "--slots"},
		{"--service svc --environment env", "", "RAILWAY_TOKEN"},
		{"--service svc --environment env --railway-api " + r.url, "x", "project token"},
	} {
		t.Setenv("RAILWAY_TOKEN", "")
		t.Setenv("RAILWAY_API_TOKEN", tt.token)
		c := root()
		c.SetOut(io.Discard)
		c.SetArgs(append([]string{"autoscale"}, strings.Fields(tt.args)...))
		if err := c.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.args, err)
		}
	}
}
