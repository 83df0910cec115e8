// Command monitoring serves Asynq's dashboard to operators: behind a log-in of its
// own, for looking only unless MONITORING_ACTIONS is on. It is a module of its own,
// since asynqmon would add 16 MB to every binary that imports it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

// version is set by the linker.
var version = "devel"

const help = `monitoring: Asynq's dashboard for the operators of Longhaul

Usage:
  monitoring                 serve until SIGTERM or SIGINT
  monitoring --print-config  show every setting, its value and where it comes from
  monitoring health          ask the one that runs here, for a container's health check
  monitoring --version

For example:
  OPERATOR_TOKENS=$(openssl rand -hex 16) REDIS_URL=redis://127.0.0.1:6379/0 PORT=8082 monitoring
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with what it touches given. It returns the exit code: 2 is a
// mistake in arguments or settings.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	what := ""
	if len(args) > 0 {
		what = args[0]
	}
	switch what {
	case "", "--print-config", "health":
	case "--version":
		fmt.Fprintln(stdout, version)
		return 0
	case "--help", "-h", "help":
		fmt.Fprint(stdout, help)
		return 0
	default:
		fmt.Fprintf(stderr, "monitoring does not know %q; see monitoring --help\n", what)
		return 2
	}
	cfg, err := config.Load(os.LookupEnv, config.Monitoring)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	switch what {
	case "--print-config":
		err = cfg.Print(stdout)
	case "health":
		err = health(ctx, cfg)
	default:
		err = serve(ctx, cfg, telemetry.NewLogger(stdout, cfg.LogFormat, cfg.LogLevel))
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// serve answers until ctx ends.
func serve(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	o := options{redisURL: cfg.RedisURL, tokens: cfg.OperatorTokens, log: log, now: time.Now}
	if cfg.MonitoringActions {
		api, err := client.New(cfg.LonghaulURL, cfg.LonghaulToken, client.Options{UserAgent: "longhaul-monitoring"})
		if err != nil {
			return fmt.Errorf("the setting LONGHAUL_URL: %w", err)
		}
		o.canceller = api
	}
	d, err := newDashboard(o)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("listen on port %d (the setting PORT): %w", cfg.Port, err)
	}
	srv := &http.Server{
		Handler: d, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	context.AfterFunc(ctx, func() { _ = srv.Close() }) // nothing here takes long, and a page asks again
	log.Info("dashboard listening", "address", l.Addr().String(), "actions", cfg.MonitoringActions, "version", version)
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// health asks the dashboard that runs in this container.
func health(ctx context.Context, cfg *config.Config) error {
	host := cfg.Host
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	address := net.JoinHostPort(host, strconv.Itoa(cfg.Port))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
	if err != nil {
		return err
	}
	// Not the default client: a proxy in the environment knows nothing of this container.
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return fmt.Errorf("nothing well at %s (the setting PORT): %w", address, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s/health answers %s", address, res.Status)
	}
	return nil
}
