package app

import (
	"context"
	"errors"
	"net/http"

	"github.com/longhaul/longhaul/pkg/httpapi"
)

// probes lets a worker answer for itself at WORKER_PORT, until g stops: to the
// end of a drain, in which /ready says so from when drain is called.
func (p *parts) probes(ctx context.Context, g *group) (drain func(), err error) {
	if p.cfg.WorkerPort == 0 {
		return func() {}, nil
	}
	listener, err := listen(ctx, p.cfg.Host, p.cfg.WorkerPort, "WORKER_PORT")
	if err != nil {
		return nil, err
	}
	server := httpapi.NewHealth(httpapi.Options{
		Health: p.health.checks, Metrics: p.metrics.Handler(), MetricsToken: p.cfg.MetricsToken, ProfileToken: p.cfg.PprofToken, Version: Version(), Logger: p.log,
	})
	srv := p.httpServer(server)
	g.start("probes", func(ctx context.Context) error {
		context.AfterFunc(ctx, func() { _ = srv.Close() }) // a probe that is cut off asks again
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	p.log.Info("worker answers probes", "address", listener.Addr().String())
	return server.Drain, nil
}
