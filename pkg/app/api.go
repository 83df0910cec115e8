package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/dispatch"
	"github.com/longhaul/longhaul/pkg/httpapi"
	"github.com/longhaul/longhaul/pkg/hub"
	"github.com/longhaul/longhaul/pkg/telemetry"
	"github.com/longhaul/longhaul/pkg/webhook"
)

// API serves the HTTP API until ctx ends. It listens before Redis answers:
// /ready says why nothing works yet, and it recovers by itself.
func API(ctx context.Context, cfg *config.Config, log *slog.Logger, listening func(net.Addr)) error {
	p, err := open(cfg, log)
	if err != nil {
		return err
	}
	defer p.close()
	log = p.log
	traces, err := telemetry.NewTraces(ctx, "longhaul-api", Version(), log)
	if err != nil {
		return err
	}
	defer flush(ctx, traces)
	g := newGroup(ctx, log, p.away)
	defer g.stop()

	bells := p.store.NewBells(g.ctx, nil)
	fan := hub.New(p.store, bells, hub.Options{Encode: httpapi.EncodeSSE, Logger: log})
	p.metrics.Subscribers(func() int { return fan.Stats().Subscribers })
	dispatcher := dispatch.New(p.store, p.tasks, log)
	server := httpapi.New(httpapi.Options{
		Dispatcher: dispatcher,
		Records:    p.store, Events: p.store, Bells: bells, Hub: fan,
		Catalog: p.catalog, Artifacts: p.artifacts, Inputs: p.inputs(), Workers: p.tasks.Workers,
		Health: p.health.checks, WebhookOK: webhookCheck(cfg), Metrics: p.metrics.Handler(), Observe: p.metrics.Request,
		Tokens: cfg.APITokens, MetricsToken: cfg.MetricsToken, ProfileToken: cfg.PprofToken, StreamSecret: cfg.StreamTokenSecret,
		MonitoringURL: cfg.MonitoringURL, Traces: traces,
		Limits: cfg.Limits(), MaxRequestBytes: cfg.MaxRequestBytes, MaxUploadBytes: cfg.MaxUploadBytes,
		MaxSSE: cfg.MaxSSEDuration, ResponseLimit: cfg.SSEResponseLimit, KeepAlive: cfg.KeepAliveInterval,
		Retention: cfg.Retention, CORSOrigins: cfg.CORSOrigins,
		Version: Version(), Logger: log,
	})
	listener, err := listen(ctx, cfg.Host, cfg.Port, "PORT")
	if err != nil {
		return err
	}
	srv := p.httpServer(server)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	g.start("bells", bells.Run)
	if err := p.keepers(g); err != nil {
		return errors.Join(err, srv.Close())
	}
	log.Info("API listening", "address", listener.Addr().String(), "version", Version())
	if listening != nil {
		listening(listener.Addr())
	}

	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	// The stop order. Streams end first, each on a frame boundary and with a hint
	// to come back (to another replica); then no connection is left to wait
	// for; then what the handlers used.
	log.Info("API stopping")
	server.Drain()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(cfg.DrainTimeout, time.Second))
	defer cancel()
	err = srv.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests still open after DRAIN_TIMEOUT were cut")
		err = srv.Close()
	}
	if werr := server.Wait(stop); werr != nil {
		log.Warn(werr.Error())
	}
	dispatcher.Flush(stop)
	return errors.Join(err, fan.Close(stop))
}

// flush gives a collector a moment for the last spans. One that is away holds up nothing more.
func flush(ctx context.Context, t *telemetry.Traces) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	t.Close(ctx)
}

// httpServer puts the limits before a handler.
func (p *parts) httpServer(h http.Handler) *http.Server {
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelWarn)}
	httpapi.Configure(srv)
	return srv
}

// listen takes every address, of both families, where host is empty: private
// networks of some platforms are IPv6 only.
func listen(ctx context.Context, host string, port int, setting string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d (the setting %s): %w", port, setting, err)
	}
	return l, nil
}

func webhookCheck(cfg *config.Config) func(context.Context, string) error {
	return func(_ context.Context, url string) error {
		if cfg.WebhookSecret == "" {
			return errors.New("webhooks are off: set WEBHOOK_SECRET on API and workers")
		}
		return webhook.Check(url, cfg.WebhookAllowNetworks)
	}
}
