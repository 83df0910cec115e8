package httpapi

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/execution"
)

// access says who may call an operation. The OpenAPI document and the check are
// made from the same value, so that they cannot differ.
type access int

const (
	bearer      access = iota // an API token
	streamToken               // an API token, or the stream token of this execution
	metrics                   // an API token, or METRICS_TOKEN
	public                    // anyone
)

// security is a's form in the OpenAPI document.
func (a access) security() []map[string][]string {
	switch a {
	case public:
		return []map[string][]string{}
	case streamToken:
		return []map[string][]string{{"bearer": {}}, {"session": {}}, {"stream_token": {}}}
	}
	return []map[string][]string{{"bearer": {}}, {"session": {}}}
}

// guard lets a request through that may call an operation of access a.
func (s *Server) guard(a access) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if err := s.authorize(ctx, a); err != nil {
			_ = huma.WriteErr(s.api, ctx, 0, "", err)
			return
		}
		next(ctx)
	}
}

func (s *Server) authorize(ctx huma.Context, a access) error {
	if a == public {
		return nil
	}
	if s.tokens.open() {
		return s.trust(ctx)
	}
	r := requestOf(ctx.Context())
	header := ctx.Header("Authorization")
	token, isBearer := bearerToken(header)
	hashes := s.tokens.api
	if a == metrics {
		hashes = s.tokens.metrics
	}
	switch {
	case isBearer && known(token, hashes):
		r.owner = owner(token)
		return nil
	case header != "":
		return execution.Errorf(execution.Unauthorized, "the Authorization header has no token that this server knows: send \"Authorization: Bearer <token>\" with one of the setting %s", s.tokenSetting)
	case ctx.Query("token") != "" && a == streamToken:
		return s.checkStreamToken(ctx, r)
	case ctx.Query("token") != "":
		return execution.Errorf(execution.Unauthorized, "a stream token only reads one execution: send an API token as \"Authorization: Bearer <token>\"")
	}
	if value := cookieOf(ctx); value != "" {
		return s.checkSession(ctx, r, value)
	}
	return execution.Errorf(execution.Unauthorized, "no token was sent: send \"Authorization: Bearer <token>\" with one of the setting %s", s.tokenSetting)
}

// bearerToken takes the token out of an Authorization header.
func bearerToken(header string) (token string, ok bool) {
	scheme, token, _ := strings.Cut(header, " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

func (s *Server) checkStreamToken(ctx huma.Context, r *request) error {
	expires, err := s.tokens.verify(ctx.Query("token"), execution.ID(ctx.Param("id")))
	if err != nil {
		return &execution.Error{Code: execution.Unauthorized, Message: err.Error()}
	}
	r.expires = expires
	return nil
}

// ownerOf is the caller whose idempotency keys count.
func ownerOf(ctx context.Context) string { return requestOf(ctx).owner }
