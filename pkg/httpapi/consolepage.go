package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/longhaul/longhaul/pkg/console"
)

// consoleRoutes serve the page for people. It holds no data, so everybody may
// load it; what it shows it asks this API for, with a session.
func (s *Server) consoleRoutes() {
	page := echo.WrapHandler(http.StripPrefix("/console", console.Handler()))
	for _, path := range []string{"/console", "/console/*"} {
		s.echo.GET(path, page)
		s.echo.HEAD(path, page)
	}
}
