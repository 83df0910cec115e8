package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

// Options are all that a Server needs. Zero limits take their defaults.
type Options struct {
	Dispatcher Dispatcher
	Records    Records
	Events     Events
	Bells      Bells
	Hub        Hub
	Catalog    Catalog
	Artifacts  Artifacts
	Inputs     artifact.Store                                    // files that requests bring; nil: none are taken
	Workers    func(ctx context.Context) ([]queue.Worker, error) // those that live; nil: none is known
	Health     func(ctx context.Context) []Check                 // nil: always healthy
	WebhookOK  func(ctx context.Context, url string) error       // nil: any URL
	Metrics    http.Handler                                      // nil: 404
	// Observe is told of each answered request, by the pattern of its route; nil: nobody is.
	Observe func(route, method string, status int, took time.Duration)

	Tokens       []string // API_TOKENS; none leaves the API open
	MetricsToken string   // reads /metrics besides the API tokens
	ProfileToken string   // reads /debug/pprof; none: there is none
	StreamSecret []byte   // signs stream tokens; the same in every replica

	Traces *telemetry.Traces // nil: none

	MonitoringURL string // MONITORING_URL, where Asynq's dashboard is

	Limits          execution.Limits
	MaxRequestBytes int64         // MAX_REQUEST_BYTES
	MaxUploadBytes  int64         // MAX_UPLOAD_BYTES
	MaxSSE          time.Duration // MAX_SSE_DURATION: one response, and the life of a stream token
	ResponseLimit   time.Duration // SSE_RESPONSE_LIMIT: one response, below the edge's cut
	KeepAlive       time.Duration // SSE_KEEPALIVE_INTERVAL
	WriteTimeout    time.Duration // of one write to a slow reader
	BodyTimeout     time.Duration // of a whole request body
	Retention       time.Duration // RETENTION, for messages
	CORSOrigins     []string      // CORS_ORIGINS; "*" is any

	Version string
	Logger  *slog.Logger
	Now     func() time.Time
}

// Server answers the HTTP API.
type Server struct {
	Options
	echo   *echo.Echo
	api    huma.API
	tokens tokens
	// tokenSetting is where an operator says who may ask.
	tokenSetting string

	// mu guards the two below: streams and long-polls that Drain must end.
	mu       sync.Mutex
	draining bool
	open     map[*context.CancelCauseFunc]struct{}
	sockets  sync.WaitGroup // WebSockets, which http.Server.Shutdown does not wait for
	directs  directs        // nor for these
}

// errDraining ends streams when the replica is told to stop.
var errDraining = errors.New("this replica is shutting down")

// New makes a Server. It panics where the routes contradict each other, which
// no configuration can cause.
func New(o Options) *Server {
	s := bare(o)
	s.routes()
	return s
}

// NewHealth makes a Server for a process that answers for nothing but itself:
// /health, /ready, /metrics and /version. Of the options it needs Health,
// Metrics, MetricsToken, ProfileToken, Version and Logger.
func NewHealth(o Options) *Server {
	if o.MetricsToken != "" {
		o.Tokens = []string{o.MetricsToken} // there is no other token
	}
	s := bare(o)
	s.tokenSetting = "METRICS_TOKEN"
	s.healthRoutes()
	return s
}

// bare is a Server without routes.
func bare(o Options) *Server {
	o.fill()
	s := &Server{Options: o, echo: echo.New(), tokenSetting: "API_TOKENS", open: map[*context.CancelCauseFunc]struct{}{}}
	s.directs.server, s.directs.ctx = s, context.Background()
	s.tokens = newTokens(o.Tokens, o.MetricsToken, o.StreamSecret, o.MaxSSE, o.Now)
	s.Tokens, s.MetricsToken, s.ProfileToken, s.StreamSecret = nil, "", "", nil // from here on their hashes do
	s.echo.HTTPErrorHandler = s.handleError
	s.echo.Use(s.observe, s.recover, s.cors)
	s.profileRoutes(o.ProfileToken)
	s.api = newAPI(s.echo, o.Version)
	return s
}

// routes registers every route group, each in the file of its name.
func (s *Server) routes() {
	s.startRoutes()
	s.rerunRoutes()
	s.statusRoutes()
	s.outputRoutes()
	s.listRoutes()
	s.cancelRoutes()
	s.streamRoutes()
	s.socketRoutes()
	s.executeRoutes()
	s.agentRoutes()
	s.outputsRoutes()
	s.engineRoutes()
	s.queueRoutes()
	s.workerRoutes()
	s.monitoringRoutes()
	s.healthRoutes()
	s.problemRoutes()
	s.docsRoutes()
	s.sessionRoutes()
	s.consoleRoutes()
	s.documentRoutes()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// fill sets the defaults, which are the settings' documented ones.
func (o *Options) fill() {
	o.MaxRequestBytes = orDefault(o.MaxRequestBytes, 2<<20)
	o.MaxUploadBytes = orDefault(o.MaxUploadBytes, 256<<20)
	o.MaxSSE = orDefault(o.MaxSSE, 2*time.Hour)
	o.ResponseLimit = orDefault(o.ResponseLimit, 14*time.Minute) // the edge cuts at 15
	o.KeepAlive = orDefault(o.KeepAlive, 15*time.Second)
	o.WriteTimeout = orDefault(o.WriteTimeout, 10*time.Second)
	o.BodyTimeout = orDefault(o.BodyTimeout, 30*time.Second)
	o.Retention = orDefault(o.Retention, 7*24*time.Hour)
	if o.Limits == (execution.Limits{}) {
		o.Limits = execution.DefaultLimits()
	}
	if o.Observe == nil {
		o.Observe = func(string, string, int, time.Duration) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func orDefault[T int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Drain ends every open stream and long-poll on a frame boundary with a hint to
// reconnect, makes /ready answer 503, and ends later streams at once. It does
// not wait: http.Server.Shutdown, called next, does, and Wait for the connections
// that it no longer knows of.
func (s *Server) Drain() {
	s.directs.drain()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	for cancel := range s.open {
		(*cancel)(errDraining)
	}
}

func (s *Server) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// attach makes ctx end with errDraining on Drain. The caller must call release.
func (s *Server) attach(ctx context.Context) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		cancel(errDraining)
		return ctx, func() {}
	}
	s.open[&cancel] = struct{}{}
	return ctx, func() {
		s.mu.Lock()
		delete(s.open, &cancel)
		s.mu.Unlock()
		cancel(nil)
	}
}
