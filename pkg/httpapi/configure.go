package httpapi

import (
	"net/http"
	"time"
)

// Configure sets the limits that an http.Server needs in front of this API.
// There is no ReadTimeout and no WriteTimeout, since both would cut streams: a
// slow body is cut by huma's own read deadline, a slow reader by the deadline of
// each write.
func Configure(srv *http.Server) {
	srv.ReadHeaderTimeout = 10 * time.Second // slow headers are the cheapest attack
	srv.ReadTimeout = 0
	srv.WriteTimeout = 0
	srv.IdleTimeout = 2 * time.Minute // longer than the 60 s for which the edge keeps a connection
	srv.MaxHeaderBytes = 64 << 10     // GET /execute carries a command line in its query
}
