package runner

import (
	"context"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

// spans are what an attempt has in a trace: a span of its own, which begins with
// the claim, and one for each of its steps. Without traces all of them are nil.
type spans struct {
	whole *telemetry.Span
	run   *telemetry.Span // the engine's life; what it traces hangs on this one
}

// trace opens the attempt's span: a child of the request that started the execution.
func (a *attempt) trace(ctx context.Context, begun time.Time) {
	if a.r.o.Traces == nil {
		return
	}
	a.spans.whole = a.r.o.Traces.Attempt(ctx, a.spec.Traceparent, begun)
	a.spans.whole.Set(
		telemetry.FieldExecution, string(a.lease.ID), telemetry.FieldEngine, a.spec.Name(),
		telemetry.FieldQueue, a.spec.Queue, telemetry.FieldWorker, a.r.o.Worker)
	a.spans.whole.SetInt(telemetry.FieldAttempt, a.lease.Attempt)
	a.spans.whole.Child("claim", begun).End("")
}

// ran ends the span of the engine's life, once nothing of it is left.
func (s *spans) ran(e process.Exit) {
	if s.run == nil {
		return
	}
	s.run.SetInt("process.exit.code", e.Code)
	if e.Signal != 0 {
		s.run.Set("longhaul.signal", e.Signal.String())
	}
	s.run.End("")
}

// failed is what a span says of an error: its code, since its text may quote what
// is nobody's business.
func failed(err error) string { return string(execution.CodeOf(err)) }

// settled says how the attempt ended. That somebody wanted its end is no error.
func (s *spans) settled(o *execution.Outcome, requeued bool) {
	s.whole.Set(telemetry.FieldStatus, string(o.Status), telemetry.FieldReason, string(o.Reason), "longhaul.requeued", strconv.FormatBool(requeued))
	why := ""
	if o.Status != execution.Completed && o.Status != execution.Cancelled {
		why = string(o.Reason)
	}
	s.whole.End(why)
}
