package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
)

type specOutput struct {
	Cache string `header:"Cache-Control"`
	Body  api.StartRequest
}

type rerunInput struct {
	PathID
	IdempotencyKey string            `header:"Idempotency-Key" maxLength:"255" doc:"Makes a repeated request safe: the same key with the same body gives the same execution"`
	Body           *api.StartRequest `doc:"Fields that take the place of the old ones; none is needed"`
}

func (s *Server) rerunRoutes() {
	operation(s, bearer, huma.Operation{
		OperationID: "getSpec", Method: http.MethodGet, Path: "/execute/spec/{id}",
		Tags: []string{"executions"}, Summary: "The body that would start an execution again",
		Description: "With the defaults that held. Values of env and webhook_url are *** since they may be secrets; a rerun keeps them.",
	}, s.spec, http.StatusNotFound, http.StatusServiceUnavailable)
	operation(s, bearer, huma.Operation{
		OperationID: "rerunExecution", Method: http.MethodPost, Path: "/execute/rerun/{id}",
		DefaultStatus: http.StatusAccepted, Tags: []string{"executions"}, Summary: "Start an execution again",
		Description: "A new execution with the spec of an old one, whatever became of that. Fields of the body replace the old ones as a whole; *** in env or webhook_url is the old value. " +
			"delay_seconds is not taken over.",
	}, s.rerun, append(submitProblems, http.StatusNotFound)...)
}

func (s *Server) spec(ctx context.Context, in *PathID) (*specOutput, error) {
	rec, err := s.get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &specOutput{"no-cache", api.StartRequestOf(&rec.Spec)}, nil
}

func (s *Server) rerun(ctx context.Context, in *rerunInput) (*startOutput, error) {
	old, err := s.get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body == nil {
		in.Body = &api.StartRequest{}
	}
	spec := in.Body.Over(&old.Spec)
	spec.RerunOf = old.ID
	receipt, err := s.submit(ctx, spec, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return s.started(receipt), nil
}
