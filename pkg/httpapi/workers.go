package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type workersOutput struct {
	Cache string `header:"Cache-Control"`
	Body  api.Workers
}

func (s *Server) workerRoutes() {
	operation(s, bearer, huma.Operation{
		OperationID: "listWorkers", Method: http.MethodGet, Path: "/workers", Tags: []string{"service"},
		Summary:     "Who runs executions, and what",
		Description: "For people to look at. How many workers are wanted, GET /queue/stats says.",
	}, s.workers, http.StatusServiceUnavailable)
}

func (s *Server) workers(ctx context.Context, _ *struct{}) (*workersOutput, error) {
	live, err := s.Records.Workers(ctx)
	if err != nil {
		return nil, err
	}
	out := &workersOutput{"no-store", api.Workers{Workers: []api.Worker{}}}
	for _, w := range live {
		out.Body.Workers = append(out.Body.Workers, api.Worker{
			Worker: w.Name, Version: w.Version, StartedAt: api.Time{Time: w.StartedAt}, LastSeenAt: api.Time{Time: w.SeenAt},
			Slots: w.Slots, Running: len(w.Running), Draining: w.Draining,
			Queues: append([]string{}, w.Queues...), Executions: append([]execution.ID{}, w.Running...),
		})
	}
	return out, nil
}
