package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type logInInput struct {
	ForwardedProto string `header:"X-Forwarded-Proto" doc:"https: the edge in front of this server speaks TLS, and so must the cookie"`
	Body           api.LogIn
	secure         bool
}

// Resolve implements huma.Resolver: it knows how the request came.
func (in *logInInput) Resolve(ctx huma.Context) []error {
	proto, _, _ := strings.Cut(in.ForwardedProto, ",")
	in.secure = ctx.TLS() != nil || strings.EqualFold(strings.TrimSpace(proto), "https")
	return nil
}

type cookieOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

type sessionOutput struct {
	Cache string `header:"Cache-Control"`
	Body  api.Session
}

func (s *Server) sessionRoutes() {
	const path = "/console/session"
	operation(s, public, huma.Operation{
		OperationID: "logIn", Method: http.MethodPost, Path: path, Tags: []string{"service"}, DefaultStatus: http.StatusNoContent,
		Summary:     "Exchange an API token for a session of the console",
		Description: "The cookie is for browsers: it stands for the token on every route until it ends. With it, whatever changes something must come from a page of this server.",
		Middlewares: huma.Middlewares{s.onlyOwnPages},
	}, s.logIn, http.StatusUnauthorized, http.StatusForbidden)
	operation(s, bearer, huma.Operation{
		OperationID: "getSession", Method: http.MethodGet, Path: path, Tags: []string{"service"},
		Summary: "Whether the caller is logged in",
	}, func(ctx context.Context, _ *struct{}) (*sessionOutput, error) {
		return &sessionOutput{"no-store", api.Session{Authenticated: true, ExpiresAt: api.TimePtr(requestOf(ctx).expires)}}, nil
	})
	operation(s, public, huma.Operation{
		OperationID: "logOut", Method: http.MethodDelete, Path: path, Tags: []string{"service"}, DefaultStatus: http.StatusNoContent,
		Summary:     "End the session of this browser",
		Middlewares: huma.Middlewares{s.onlyOwnPages},
	}, func(context.Context, *struct{}) (*cookieOutput, error) {
		return &cookieOutput{cookie("", false, -1)}, nil
	}, http.StatusForbidden)
}

func (s *Server) logIn(_ context.Context, in *logInInput) (*cookieOutput, error) {
	if !s.tokens.open() && !known(in.Body.Token, s.tokens.api) {
		return nil, execution.Errorf(execution.Unauthorized, "this server does not know the token: it must be one of the setting %s", s.tokenSetting)
	}
	return &cookieOutput{cookie(s.tokens.session(in.Body.Token), in.secure, int(sessionLife/time.Second))}, nil
}

// cookie goes to this server only, to no script, and with no link of another site.
func cookie(value string, secure bool, maxAge int) http.Cookie {
	return http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	}
}

// onlyOwnPages keeps foreign pages from logging a visitor in or out.
func (s *Server) onlyOwnPages(ctx huma.Context, next func(huma.Context)) {
	if !sameOrigin(ctx) {
		_ = huma.WriteErr(s.api, ctx, 0, "", execution.Errorf(execution.Forbidden, "only the console itself logs in and out: open /console, or send \"Authorization: Bearer <token>\" instead"))
		return
	}
	next(ctx)
}
