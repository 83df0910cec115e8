package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type healthOutput struct{ Body api.Health }

type readyOutput struct {
	Status     int
	RetryAfter string `header:"Retry-After"`
	Body       api.Ready
}

type versionOutput struct{ Body api.Version }

func (s *Server) healthRoutes() {
	for _, method := range []string{http.MethodGet, http.MethodHead} { // some probes send HEAD
		name := strings.ToLower(method)
		operation(s, public, huma.Operation{
			OperationID: name + "Health", Method: method, Path: "/health", Tags: []string{"service"},
			Summary: "Whether this process answers", Description: "Knows nothing of Redis, so that an outage there restarts nobody.",
		}, func(context.Context, *struct{}) (*healthOutput, error) {
			return &healthOutput{api.Health{Status: "ok"}}, nil
		})
		operation(s, public, huma.Operation{
			OperationID: name + "Ready", Method: method, Path: "/ready", Tags: []string{"service"},
			Summary: "Whether this process can do its work",
			Description: "`degraded` comes with 200: something is wrong that it works without, such as the artifact store (executions run, their files are not kept) or room in Redis (what is there can be read, new work is refused). " +
				"What is wrong, and since when, is in `checks`. They are looked at in the background; a probe costs nothing.",
			Responses: map[string]*huma.Response{"503": response("Something it depends on is away, or it is draining", jsonOf[api.Ready](s))},
		}, s.ready)
	}
	operation(s, bearer, huma.Operation{
		OperationID: "getVersion", Method: http.MethodGet, Path: "/version", Tags: []string{"service"},
		Summary: "Which version answers",
	}, func(context.Context, *struct{}) (*versionOutput, error) {
		return &versionOutput{api.Version{Version: s.Version}}, nil
	})
	operation(s, metrics, huma.Operation{
		OperationID: "getMetrics", Method: http.MethodGet, Path: "/metrics", Tags: []string{"service"},
		Summary:   "Metrics in the text format of Prometheus",
		Responses: map[string]*huma.Response{"200": response("Metrics", text("text/plain", "application/openmetrics-text"))},
	}, s.metrics, http.StatusNotFound)
}

// readyTimeout bounds the checks: a probe that hangs says less than one that fails.
const readyTimeout = 3 * time.Second

func (s *Server) ready(ctx context.Context, _ *struct{}) (*readyOutput, error) {
	out := &readyOutput{Status: http.StatusOK, Body: api.Ready{Status: "ready", Checks: []api.Check{}}}
	if s.Health != nil {
		ctx, cancel := context.WithTimeout(ctx, readyTimeout)
		defer cancel()
		for _, c := range s.Health(ctx) {
			out.Body.Checks = append(out.Body.Checks, api.Check{Name: c.Name, OK: c.OK, Detail: c.Detail, Since: api.TimePtr(c.Since)})
			switch {
			case !c.OK && !c.Degrades:
				out.Body.Status = "not_ready"
			case !c.OK && out.Body.Status == "ready":
				out.Body.Status = "degraded"
			}
		}
	}
	if s.isDraining() {
		out.Body.Status = "draining"
	}
	if out.Body.Status != "ready" && out.Body.Status != "degraded" {
		out.Status, out.RetryAfter = http.StatusServiceUnavailable, kinds[execution.Unavailable].retry
	}
	return out, nil
}

func (s *Server) metrics(context.Context, *struct{}) (*huma.StreamResponse, error) {
	if s.Metrics == nil {
		return nil, execution.Errorf(execution.NotFound, "this server has no metrics")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		c := humaecho.Unwrap(hc)
		s.Metrics.ServeHTTP(c.Response(), c.Request())
	}}, nil
}
