package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/longhaul/longhaul/pkg/telemetry"
)

// request is what every layer may want to know about the request in hand.
type request struct {
	id        string
	path      string    // decoded, and without the query, which may hold a token
	escaped   string    // the same as it came
	execution string    // id of the path, if it has one
	owner     string    // hash of the caller's token; "" when the API is open
	expires   time.Time // of the stream token or the session, if one was used
	taken     *direct   // the stream that goes on when the handler has returned
	server    *Server
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// requestID admits what is safe in a log line and a header, of at most 64.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._:-]+$`)

// observe is the outermost layer: it names the request, gives each write its
// deadline, and logs one line. The line has the route, never the query.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := s.Now()
		info := &request{id: c.Request().Header.Get("X-Request-Id"), path: c.Request().URL.Path, escaped: c.Request().URL.EscapedPath(), server: s}
		if id := c.Param("id"); strings.HasPrefix(id, "exec_") {
			info.execution = strings.Clone(id) // c is another request's soon
		}
		if len(info.id) > 64 || !requestID.MatchString(info.id) {
			info.id = strings.ToLower(rand.Text()[:16])
		}
		h := c.Response().Header()
		h.Set("X-Request-Id", info.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // a query may hold a stream token
		ctx, span := s.span(c)
		c.SetRequest(c.Request().WithContext(context.WithValue(ctx, requestKey{}, info)))
		c.Response().Writer = newDeadlineWriter(c.Response().Writer, s.WriteTimeout)

		if err := next(c); err != nil {
			c.Error(err) // written here, so that the log line knows the status
		}
		report := s.reporter(info, span, c.Path(), c.Request().Method, c.Response().Status, began)
		if d := info.taken; d != nil {
			size := c.Response().Size // c is another request's soon
			s.directs.begin(d, func(sent int64) { report(size + sent) })
			// c goes back to Echo's pool, which would keep all that net/http had
			// for this connection for two collections more.
			c.SetRequest(&http.Request{})
			c.Response().Writer = nil
			return nil
		}
		report(c.Response().Size)
		return nil
	}
}

// span begins the request's, but for those that come every few seconds.
func (s *Server) span(c echo.Context) (context.Context, *telemetry.Span) {
	switch c.Path() {
	case "/health", "/ready", "/metrics":
		return c.Request().Context(), nil
	}
	return s.Traces.Request(c.Request(), c.Path())
}

// reporter tells of a request once it has been answered to the end, with the
// size of the answer.
func (s *Server) reporter(info *request, span *telemetry.Span, route, method string, status int, began time.Time) func(size int64) {
	return func(size int64) {
		took := s.Now().Sub(began)
		s.Observe(route, method, status, took)
		span.Answered(status)
		about := [...]slog.Attr{
			slog.String("method", method), slog.String("path", info.path),
			slog.Int("status", status), slog.Int64("bytes", size),
			slog.Duration("took", took), slog.String("request_id", info.id),
			slog.String("execution_id", info.execution),
		}
		n := len(about)
		if info.execution == "" {
			n-- // it concerns none
		}
		s.Logger.LogAttrs(context.Background(), levelOf(status), "request", about[:n]...)
	}
}

// levelOf keeps 503 quiet: what is away is told once, by those who watch it, and
// not again for each request that meets it.
func levelOf(status int) slog.Level {
	if status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// recover turns a panic into a problem. http.ErrAbortHandler is how a handler
// cuts a response that it cannot finish, so that one goes on.
func (s *Server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.Logger.ErrorContext(c.Request().Context(), "panic", "panic", p, "path", c.Request().URL.Path,
				"request_id", requestOf(c.Request().Context()).id, "stack", string(debug.Stack()))
			err = echo.ErrInternalServerError
		}()
		return next(c)
	}
}

// deadlineWriter gives each write and flush a deadline of its own. A reader that
// takes nothing for that long is cut, and a transfer of any length is not.
type deadlineWriter struct {
	http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
}

func newDeadlineWriter(w http.ResponseWriter, timeout time.Duration) *deadlineWriter {
	return &deadlineWriter{w, http.NewResponseController(w), timeout}
}

// writePiece bounds what one deadline must be enough for: 10 s per 64 KiB lets
// a reader of 7 KB/s keep up.
const writePiece = 64 << 10

// Write implements io.Writer.
func (w *deadlineWriter) Write(p []byte) (n int, err error) {
	for {
		piece := p[:min(len(p), writePiece)]
		w.extend()
		m, err := w.ResponseWriter.Write(piece)
		n, p = n+m, p[len(piece):]
		if err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// FlushError is found by http.ResponseController.
func (w *deadlineWriter) FlushError() error {
	w.extend()
	return w.rc.Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *deadlineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *deadlineWriter) extend() {
	_ = w.rc.SetWriteDeadline(time.Now().Add(w.timeout)) // a recorder in tests has none
}
