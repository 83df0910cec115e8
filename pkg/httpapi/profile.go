package httpapi

import (
	"crypto/sha256"
	"net/http"
	"net/http/pprof"

	"github.com/labstack/echo/v4"

	"github.com/longhaul/longhaul/pkg/execution"
)

// profileRoutes serves runtime profiles to those who have PPROF_TOKEN; without
// the setting there is no such route. They are for who works on Longhaul, so
// the document of the API does not have them.
func (s *Server) profileRoutes(token string) {
	if token == "" {
		return
	}
	hashes := [][sha256.Size]byte{sha256.Sum256([]byte(token))}
	pages := map[string]http.HandlerFunc{"cmdline": pprof.Cmdline, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace}
	s.echo.Match([]string{http.MethodGet, http.MethodPost}, "/debug/pprof/*", func(c echo.Context) error {
		if sent, ok := bearerToken(c.Request().Header.Get("Authorization")); !ok || !known(sent, hashes) {
			return execution.Errorf(execution.Unauthorized, "profiles need the header \"Authorization: Bearer <token>\" with the setting PPROF_TOKEN")
		}
		page, ok := pages[c.Param("*")]
		if !ok {
			page = pprof.Index // heap, goroutine, block and their like, and the list of them
		}
		page(c.Response(), c.Request())
		return nil
	})
}
