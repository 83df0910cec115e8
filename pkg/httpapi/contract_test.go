package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/longhaul/longhaul/pkg/httpapi"
)

// contract is a transport that holds every response of the tests against the
// server's own OpenAPI document: an undocumented status, header of content or
// field fails the test that met it.
type contract struct {
	t    *testing.T
	next *http.Transport
}

var document = sync.OnceValues(func() (routers.Router, error) {
	text, err := httpapi.New(httpapi.Options{Catalog: catalog{}, Version: "test"}).OpenAPI()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	for _, ct := range []string{"text/event-stream", "application/x-ndjson", "application/openapi+json", "application/openapi+yaml", "text/html", "application/octet-stream"} {
		openapi3filter.RegisterBodyDecoder(ct, openapi3filter.PlainBodyDecoder)
	}
	doc.Servers = nil // "/" matches no absolute URL here
	for _, component := range doc.Components.Schemas {
		for _, property := range component.Value.Properties {
			if v := property.Value; v.Type == nil && v.AllOf == nil { // any JSON, from which kin-openapi leaves null out
				v.Type = &openapi3.Types{"object", "array", "string", "number", "boolean", "null"}
			}
		}
	}
	return legacy.NewRouter(doc)
})

func (c *contract) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	c.check(req, res)
	return res, nil
}

func (c *contract) CloseIdleConnections() { c.next.CloseIdleConnections() }

func (c *contract) check(req *http.Request, res *http.Response) {
	router, err := document()
	if err != nil {
		c.t.Errorf("the OpenAPI document: %v", err)
		return
	}
	if strings.HasPrefix(req.URL.Path, "/docs") || strings.HasPrefix(req.URL.Path, "/console") && req.URL.Path != "/console/session" {
		return // pages and scripts for people are no part of the API
	}
	route, params, err := router.FindRoute(documented(req))
	if err != nil {
		if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusMethodNotAllowed && req.Method != http.MethodOptions {
			c.t.Errorf("%s %s answered %d and is not in the document: %v", req.Method, req.URL.Path, res.StatusCode, err)
		}
		return
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	var body []byte
	if req.Method != http.MethodHead && strings.HasSuffix(kind, "json") && kind != "application/openapi+json" && kind != "application/x-ndjson" {
		body, _ = io.ReadAll(res.Body)
		_ = res.Body.Close()
		res.Body = io.NopCloser(bytes.NewReader(body))
	} else {
		options.ExcludeResponseBody = true // a stream has no end to wait for
		if content := route.Operation.Responses.Status(res.StatusCode); content != nil && kind != "" && content.Value.Content.Get(kind) == nil {
			c.t.Errorf("%s %s: %d comes as %s, which is not in the document", req.Method, req.URL.Path, res.StatusCode, kind)
		}
	}
	err = openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)), Options: options,
	})
	if err != nil {
		c.t.Errorf("%s %s answered against the document: %v", req.Method, req.URL.Path, err)
	}
}

// documented is req as the document knows it: the path of an artifact is one
// parameter there, slashes and all.
func documented(req *http.Request) *http.Request {
	parts := strings.SplitN(req.URL.Path, "/", 4)
	if len(parts) < 4 || parts[1] != "outputs" {
		return req
	}
	req = req.Clone(req.Context())
	req.URL.Path, req.URL.RawPath = "/outputs/"+parts[2]+"/"+strings.ReplaceAll(parts[3], "/", "_"), ""
	return req
}
