package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Traces sends spans to an OpenTelemetry collector. A nil Traces, which is what
// there is unless an endpoint is set, traces nothing and costs nothing: its spans
// are nil too. Spans wait in a bounded buffer; when the collector is slow or away,
// they are dropped, and nobody waits.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// NewTraces makes the traces of a process, as the standard variables OTEL_* of its
// environment say; service and version are what they may leave out. It connects to
// nothing, and is nil without OTEL_EXPORTER_OTLP_ENDPOINT.
func NewTraces(ctx context.Context, service, version string, log *slog.Logger) (*Traces, error) {
	if !wanted() {
		return nil, nil
	}
	if p := os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"); p != "" && p != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: only http/protobuf is spoken here, to port 4318 of most collectors", p)
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces (the variables OTEL_EXPORTER_OTLP_…): %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceNamespace("longhaul"), semconv.ServiceVersion(version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv()) // the last counts
	if err != nil {
		return nil, fmt.Errorf("traces (the variable OTEL_RESOURCE_ATTRIBUTES): %w", err)
	}
	otel.SetErrorHandler(&quietly{log: log})
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &Traces{provider: provider, tracer: provider.Tracer("github.com/longhaul/longhaul")}, nil
}

// wanted reads the three variables that turn traces on and off.
func wanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Close sends what waits, for as long as ctx allows.
func (t *Traces) Close(ctx context.Context) {
	if t != nil {
		_ = t.provider.Shutdown(ctx) // what the collector does not take is lost, as said above
	}
}

// Request begins the span of an HTTP request, as a child of its traceparent if it
// brings one. route is the pattern, never the path.
func (t *Traces) Request(r *http.Request, route string) (context.Context, *Span) {
	if t == nil {
		return r.Context(), nil
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, strings.TrimSpace(r.Method+" "+route), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		semconv.HTTPRequestMethodKey.String(r.Method), semconv.HTTPRoute(route), semconv.URLPath(r.URL.Path)))
	return ctx, &Span{t.tracer, span}
}

// Attempt begins the span of an attempt that a worker has claimed: a child of the
// request that started the execution, whose traceparent its record keeps.
func (t *Traces) Attempt(ctx context.Context, parent string, begun time.Time) *Span {
	if t == nil {
		return nil
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
	_, span := t.tracer.Start(ctx, "attempt", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(begun), trace.WithAttributes(
		attribute.String("messaging.system", "asynq"), attribute.String("messaging.operation.type", "process")))
	return &Span{t.tracer, span}
}

// quietly tells of a collector that is away once in a while, not with each batch.
type quietly struct {
	log  *slog.Logger
	last atomic.Int64 // Unix seconds
}

// Handle implements otel.ErrorHandler.
func (q *quietly) Handle(err error) {
	now := time.Now().Unix()
	if last := q.last.Load(); now-last >= 600 && q.last.CompareAndSwap(last, now) {
		q.log.Warn("traces are lost (OTEL_EXPORTER_OTLP_ENDPOINT); told again in 10 minutes at the earliest", "error", err)
	}
}
