package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// documentRoutes serve the OpenAPI document. They are the last to be registered,
// so that the document is complete.
func (s *Server) documentRoutes() {
	for path, contentType := range map[string]string{"/openapi.json": "application/openapi+json", "/openapi.yaml": "application/openapi+yaml"} {
		operation(s, public, huma.Operation{
			OperationID: "getDocument" + path[len("/openapi."):], Method: http.MethodGet, Path: path, Tags: []string{"service"},
			Summary:   "This document",
			Responses: map[string]*huma.Response{"200": response("OpenAPI 3.1", text(contentType))},
		}, func(context.Context, *struct{}) (*page, error) {
			body, err := s.document(path)
			return &page{ContentType: contentType, Body: body}, err
		})
	}
}

func (s *Server) document(path string) ([]byte, error) {
	if path == "/openapi.yaml" {
		return s.api.OpenAPI().YAML()
	}
	return json.Marshal(s.api.OpenAPI())
}

// OpenAPI is the API's document as YAML, as api/openapi.yaml keeps it.
func (s *Server) OpenAPI() ([]byte, error) { return s.api.OpenAPI().YAML() }
