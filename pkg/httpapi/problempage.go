package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/execution"
)

type problemInput struct {
	Code   string `path:"code" doc:"The code of a problem" example:"invalid"`
	Accept string `header:"Accept"`
}

type page struct {
	ContentType string `header:"Content-Type"`
	CSP         string `header:"Content-Security-Policy"`
	Body        []byte
}

// problemRoutes serve what the type of each problem points to.
func (s *Server) problemRoutes() {
	pages := func() map[string]*huma.Response {
		return map[string]*huma.Response{"200": response("The explanation", text("text/html", "text/plain"))}
	}
	operation(s, public, huma.Operation{
		OperationID: "listProblems", Method: http.MethodGet, Path: "/problems", Tags: []string{"service"},
		Summary: "All kinds of problems", Responses: pages(),
	}, func(_ context.Context, in *struct {
		Accept string `header:"Accept"`
	},
	) (*page, error) {
		return problemPage(in.Accept, slices.Sorted(maps.Keys(kinds))...), nil
	})
	operation(s, public, huma.Operation{
		OperationID: "getProblem", Method: http.MethodGet, Path: "/problems/{code}", Tags: []string{"service"},
		Summary: "What a kind of problem means", Responses: pages(),
	}, func(_ context.Context, in *problemInput) (*page, error) {
		if _, ok := kinds[execution.Code(in.Code)]; !ok {
			return nil, execution.Errorf(execution.NotFound, "there is no problem of this code: GET /problems lists all")
		}
		return problemPage(in.Accept, execution.Code(in.Code)), nil
	}, http.StatusNotFound)
}

// problemPage explains codes, as HTML for browsers and else as text. The table
// is our own text, so escaping it is a matter of form.
func problemPage(accept string, codes ...execution.Code) *page {
	if !strings.Contains(accept, "text/html") {
		var b strings.Builder
		for _, code := range codes {
			k := kinds[code]
			fmt.Fprintf(&b, "%s (%d): %s\n%s\n\n", code, k.status, k.title, k.explain)
		}
		return &page{ContentType: "text/plain; charset=utf-8", Body: []byte(strings.TrimSpace(b.String()) + "\n")}
	}
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Problems</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}</style>`)
	for _, code := range codes {
		k := kinds[code]
		fmt.Fprintf(&b, "<h1>%s</h1><p><code>%s</code>, HTTP status %d</p><p>%s</p>",
			html.EscapeString(k.title), html.EscapeString(string(code)), k.status, html.EscapeString(cmp.Or(k.explain, k.title)))
	}
	return &page{
		ContentType: "text/html; charset=utf-8", Body: []byte(b.String()),
		CSP: "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}
