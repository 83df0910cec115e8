package telemetry

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Names of a span's fields that more than one part sets.
const (
	FieldExecution = "longhaul.execution.id"
	FieldAttempt   = "longhaul.attempt"
	FieldEngine    = "longhaul.engine"
	FieldQueue     = "messaging.destination.name"
	FieldWorker    = "longhaul.worker"
	FieldStatus    = "longhaul.status"
	FieldReason    = "longhaul.reason"
)

// Span is a piece of work in a trace. A nil Span is one that nobody traces.
type Span struct {
	tracer trace.Tracer
	span   trace.Span
}

// Child begins a part of s that has begun at a time.
func (s *Span) Child(name string, begun time.Time) *Span {
	if s == nil {
		return nil
	}
	// A span's context is only the way to its children: nothing here waits for it.
	ctx := trace.ContextWithSpan(context.Background(), s.span)
	_, child := s.tracer.Start(ctx, name, trace.WithTimestamp(begun))
	return &Span{s.tracer, child}
}

// Set adds fields: "name", "value", … No value is a payload, an argument or a secret.
func (s *Span) Set(fields ...string) {
	if s == nil {
		return
	}
	for i := 0; i+1 < len(fields); i += 2 {
		s.span.SetAttributes(attribute.String(fields[i], fields[i+1]))
	}
}

// SetInt adds a number.
func (s *Span) SetInt(field string, n int) {
	if s != nil {
		s.span.SetAttributes(attribute.Int(field, n))
	}
}

// End ends it; why says what failed, "" that nothing did.
func (s *Span) End(why string) {
	if s == nil {
		return
	}
	if why != "" {
		s.span.SetStatus(codes.Error, why)
	}
	s.span.End()
}

// Answered ends the span of a request with its status. What the caller did
// wrong is no error of ours.
func (s *Span) Answered(status int) {
	if s == nil {
		return
	}
	s.SetInt("http.response.status_code", status)
	why := ""
	if status >= 500 {
		why = strconv.Itoa(status)
	}
	s.End(why)
}

// Parent is the traceparent for what s starts; "" when nobody traces it.
func (s *Span) Parent() string {
	if s == nil {
		return ""
	}
	return traceparent(s.span.SpanContext())
}

// Traceparent is the one of the span that ctx is in; "" when it is in none.
func Traceparent(ctx context.Context) string { return traceparent(trace.SpanContextFromContext(ctx)) }

// Note adds fields to the span that ctx is in, if any.
func Note(ctx context.Context, fields ...string) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		(&Span{span: span}).Set(fields...)
	}
}

// traceparent is the header of W3C Trace Context, version 00.
func traceparent(c trace.SpanContext) string {
	if !c.IsValid() {
		return ""
	}
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-" + c.TraceFlags().String()
}
