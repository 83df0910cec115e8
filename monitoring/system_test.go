package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/test/rig"
)

// patience is no promise: it bounds what would never end.
const patience = time.Minute

// bin holds the built binaries.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "longhaul-monitoring-"); err == nil {
			defer os.RemoveAll(bin)
			err = rig.BuildIn("..", "-o", bin+"/", "./cmd/api", "./cmd/worker")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// system is Redis, an API and a worker as they are built, and dashboards.
type system struct {
	*rig.System
	t      *testing.T
	apiURL string
	client *client.Client
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, System: rig.New(t, bin, "commands:\n  sleep: {args: any}\n", "MONITORING_URL=http://127.0.0.1:1/there")}
	server := s.API()
	s.Worker()
	s.apiURL, s.client = server.URL, server.Client()
	return s
}

// dashboard serves one, and gives its address.
func (s *system) dashboard(actions bool) string {
	s.t.Helper()
	cfg := &config.Config{
		Host: "127.0.0.1", Port: redistest.FreePort(s.t), RedisURL: s.Redis.URL, OperatorTokens: []string{operator},
		MonitoringActions: actions, LonghaulURL: s.apiURL, LonghaulToken: rig.Token,
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, cfg, slog.New(slog.DiscardHandler)) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	s.Eventually("the dashboard answers", func() bool { return health(s.t.Context(), cfg) == nil })
	return "http://127.0.0.1:" + strconv.Itoa(cfg.Port)
}

// run starts an execution and waits until it runs.
func (s *system) run() execution.ID {
	s.t.Helper()
	started, err := s.client.Start(s.t.Context(), api.StartRequest{Command: "sleep", Args: []string{"600"}}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.becomes(started.ID, execution.Running)
	return started.ID
}

func (s *system) becomes(id execution.ID, want execution.Status) {
	s.t.Helper()
	s.Eventually(fmt.Sprintf("%s is %s", id, want), func() bool {
		e, err := s.client.Status(s.t.Context(), id)
		return err == nil && e.Status == want
	})
}

// await is Eventually for those who have no system.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick, end := time.NewTicker(50*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func TestTheAPIsWayLeadsToTheDashboard(t *testing.T) {
	s := newSystem(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.apiURL+"/monitoring", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+rig.Token)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || res.StatusCode != http.StatusFound || res.Header.Get("Location") != "http://127.0.0.1:1/there" {
		t.Fatalf("%v %v", res, err)
	}
}
