package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type cancelInput struct {
	PathID
	Force bool   `query:"force" doc:"Kill it at once, without its grace; also after a cancel without force"`
	Wait  string `query:"wait" doc:"Wait up to this long (60 s at most) for the proof that nothing of it is left" example:"15s"`
}

type cancelOutput struct {
	Status int
	Body   api.Cancelled
}

func (s *Server) cancelRoutes() {
	operation(s, bearer, huma.Operation{
		OperationID: "cancelExecution", Method: http.MethodPost, Path: "/execute/cancel/{id}",
		Tags: []string{"executions"}, Summary: "Stop an execution",
		Description: "May be repeated. 202 while the engine is being stopped, 200 once it is cancelled, 409 with execution_status if it ended otherwise.",
		Responses: map[string]*huma.Response{
			"200": response("It is cancelled", jsonOf[api.Cancelled](s)),
			"202": response("Its worker has been told", jsonOf[api.Cancelled](s)),
		},
	}, s.cancel, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable)
}

func (s *Server) cancel(ctx context.Context, in *cancelInput) (*cancelOutput, error) {
	wait, err := waitOf("wait", in.Wait)
	if err != nil {
		return nil, err
	}
	id, err := execution.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	stop := s.Dispatcher.Cancel
	if in.Force {
		stop = s.Dispatcher.Kill
	}
	receipt, err := stop(ctx, id)
	rec := receipt.Record
	if execution.CodeOf(err) == execution.Conflict || (err == nil && rec == nil) {
		rec, err = s.Records.Get(ctx, id) // it had ended: the record says how
	}
	if err == nil && !rec.Status.Terminal() && wait > 0 {
		rec, err = s.await(ctx, in.ID, wait, func(rec *execution.Record) bool { return rec.Status.Terminal() })
	}
	if err != nil {
		return nil, err
	}
	if rec.Status.Terminal() && rec.Status != execution.Cancelled {
		return nil, endedOtherwise(ctx, rec)
	}
	return cancelled(rec), nil
}

// endedOtherwise is the problem of a cancel that came too late.
func endedOtherwise(ctx context.Context, rec *execution.Record) error {
	p := describe(requestOf(ctx), execution.Errorf(execution.Conflict,
		"the execution has ended already with status %s, so there is nothing to cancel", rec.Status))
	p.ExecutionID, p.ExecutionStatus = rec.ID, rec.Status
	return p
}

// cancelled says how far the cancel of rec is.
func cancelled(rec *execution.Record) *cancelOutput {
	out := &cancelOutput{Status: http.StatusAccepted, Body: api.Cancelled{
		ID: rec.ID, Status: rec.Status, Message: "Cancellation requested: its worker has been told",
		CancelRequestedAt: api.TimePtr(rec.CancelRequestedAt), Delivered: "pending",
	}}
	if !rec.Status.Terminal() {
		return out
	}
	out.Status, out.Body.Delivered, out.Body.Message = http.StatusOK, "settled", "Execution cancelled"
	if o := rec.Outcome; o != nil {
		if o.SignalSentAt != nil {
			out.Body.SignalSentAt = api.TimePtr(*o.SignalSentAt)
		}
		if o.GroupEmptyAt != nil {
			out.Body.GroupEmptyAt = api.TimePtr(*o.GroupEmptyAt)
		}
	}
	return out
}
