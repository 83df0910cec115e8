package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// What browsers of other origins may send and read.
var (
	corsMethods = "GET, HEAD, POST, OPTIONS"
	corsHeaders = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer, Range, X-Request-Id"
	corsExpose  = "Location, X-Execution-Id, X-Request-Id, Retry-After, ETag, Idempotency-Replayed, Link, Preference-Applied"
)

// allowed says that CORS_ORIGINS names origin itself.
func (s *Server) allowed(origin string) bool {
	return slices.ContainsFunc(s.CORSOrigins, func(o string) bool { return strings.EqualFold(o, origin) })
}

// cors answers preflights and marks answers for the origins of CORS_ORIGINS.
// Credentials are not allowed: tokens of other origins' pages travel in a header or
// the query, and the console's cookie with no foreign page, so that none can act with
// a visitor's rights.
func (s *Server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		origin := r.Header.Get("Origin")
		if len(s.CORSOrigins) == 0 || origin == "" {
			return next(c)
		}
		h.Add("Vary", "Origin")
		switch {
		case slices.Contains(s.CORSOrigins, "*"):
			h.Set("Access-Control-Allow-Origin", "*")
		case s.allowed(origin):
			h.Set("Access-Control-Allow-Origin", origin)
		default:
			return next(c)
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", corsMethods)
			h.Set("Access-Control-Allow-Headers", corsHeaders)
			h.Set("Access-Control-Max-Age", "600")
			return c.NoContent(http.StatusNoContent)
		}
		h.Set("Access-Control-Expose-Headers", corsExpose)
		return next(c)
	}
}
