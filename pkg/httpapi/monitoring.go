package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/execution"
)

type monitoringOutput struct {
	Location string `header:"Location"`
}

// monitoringRoutes lead to Asynq's dashboard, which is a program of its own
// (docs/adr/0017-a-dashboard-of-its-own.md). It asks for an operator's token;
// the token here only keeps its address from strangers.
func (s *Server) monitoringRoutes() {
	operation(s, bearer, huma.Operation{
		OperationID: "getMonitoring", Method: http.MethodGet, Path: "/monitoring", Tags: []string{"service"},
		Summary: "The way to Asynq's dashboard", DefaultStatus: http.StatusFound,
	}, s.monitoring, http.StatusNotFound)
}

func (s *Server) monitoring(context.Context, *struct{}) (*monitoringOutput, error) {
	if s.MonitoringURL == "" {
		return nil, execution.Errorf(execution.NotFound, "no dashboard is known here: start one (make monitoring, or the image of Dockerfile.monitoring) with OPERATOR_TOKENS, and set MONITORING_URL to its address; docs/deploy.md shows how")
	}
	return &monitoringOutput{Location: s.MonitoringURL}, nil
}
