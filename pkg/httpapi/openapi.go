package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"
)

const about = `Hand over a command that takes two hours. Get an id at once, know your place in line, see every byte, stop it for certain, and always learn how it ended.

Errors are problems (RFC 9457) whose ` + "`code`" + ` is a stable word; ` + "`/problems/<code>`" + ` explains it. Events, cursors and resuming are described in docs/protocol.md.`

// newAPI sets huma up. Its own pages are off: they load scripts from a CDN, and
// its $schema links change every body.
func newAPI(e *echo.Echo, version string) huma.API {
	cfg := huma.DefaultConfig("Longhaul", version)
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", "", nil
	cfg.Info.Description = about
	cfg.Servers = []*huma.Server{{URL: "/", Description: "this server"}}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":       {Type: "http", Scheme: "bearer", Description: "One of the setting API_TOKENS"},
		"stream_token": {Type: "apiKey", In: "query", Name: "token", Description: "Reads one execution for a while; comes with its start"},
		"session":      {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "A browser that has logged in at the console"},
	}
	cfg.Tags = []*huma.Tag{
		{Name: "executions", Description: "Start, follow and stop executions"},
		{Name: "streams", Description: "Server-sent events"},
		{Name: "artifacts", Description: "Files that engines left"},
		{Name: "service", Description: "The service itself"},
	}
	return humaecho.New(e, cfg)
}

// operation registers a typed handler with its access and the problems that
// every operation of its form can answer with, and those listed.
func operation[I, O any](s *Server, a access, op huma.Operation, handler func(context.Context, *I) (*O, error), problems ...int) {
	op.Security = a.security()
	op.Middlewares = append(huma.Middlewares{s.guard(a)}, op.Middlewares...)
	op.Errors = append(op.Errors, problems...)
	if a != public {
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
	}
	if hasBody[I]() {
		op.MaxBodyBytes = s.MaxRequestBytes + 1 // huma refuses from this size on
		op.BodyReadTimeout = s.BodyTimeout
		op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusRequestTimeout,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	op.Errors = append(op.Errors, http.StatusInternalServerError)
	huma.Register(s.api, op, handler)
}

func hasBody[I any]() bool {
	t := reflect.TypeFor[I]()
	_, body := t.FieldByName("Body")
	_, raw := t.FieldByName("RawBody")
	return body || raw
}

// response documents an answer that is not the operation's typed body.
func response(description string, content map[string]*huma.MediaType) *huma.Response {
	return &huma.Response{Description: description, Content: content}
}

// text is content that is no JSON.
func text(types ...string) map[string]*huma.MediaType {
	content := map[string]*huma.MediaType{}
	for _, t := range types {
		content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return content
}

// schema is T's schema in the document.
func schema[T any](s *Server) *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// jsonOf is content of type T.
func jsonOf[T any](s *Server) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{"application/json": {Schema: schema[T](s)}}
}

// days writes a long duration as people say it.
func days(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + " days"
	}
	return d.String()
}
