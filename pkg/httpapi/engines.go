package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
)

type enginesOutput struct{ Body api.Engines }

func (s *Server) engineRoutes() {
	operation(s, bearer, huma.Operation{
		OperationID: "listEngines", Method: http.MethodGet, Path: "/engines", Tags: []string{"executions"},
		Summary: "What the catalog lets callers start",
	}, s.engines)
}

func (s *Server) engines(context.Context, *struct{}) (*enginesOutput, error) {
	out := &enginesOutput{api.Engines{Engines: []api.Engine{}}}
	for _, d := range s.Catalog.Public() {
		out.Body.Engines = append(out.Body.Engines, api.Engine{
			Name: d.Name, Kind: d.Kind, Description: d.Description, Params: d.Params,
			AllowsArgs: d.AllowsArgs, TakesInput: d.TakesInput, Env: append([]string{}, d.Env...), Warm: d.Warm,
			Defaults: api.EngineDefaults(d.Defaults),
		})
	}
	return out, nil
}
