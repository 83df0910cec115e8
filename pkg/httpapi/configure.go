package httpapi

import (
	"net/http"
	"time"
)

// Configure sets the limits that an http.Server needs in front of this API.
// There is no WriteTimeout, which would cut streams: each write has a deadline
// of its own. ReadTimeout cuts none, since net/http lifts it once the body is
// read; it is for bodies that no handler reads.
func Configure(srv *http.Server) {
	srv.ReadHeaderTimeout = 10 * time.Second // slow headers are the cheapest attack
	srv.ReadTimeout = time.Minute
	srv.WriteTimeout = 0
	srv.IdleTimeout = 2 * time.Minute // longer than the 60 s for which the edge keeps a connection
	srv.MaxHeaderBytes = 64 << 10     // GET /execute carries a command line in its query
}
