package httpapi

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type statusInput struct {
	PathID
	Wait        string `query:"wait" doc:"Wait up to this long (60 s at most) for news: 30s, or seconds" example:"30s"`
	After       string `query:"after" doc:"With wait: news is any event after this number; without it, the end" example:"41"`
	Prefer      string `header:"Prefer" doc:"wait=30 is the same as ?wait=30s (RFC 7240)" example:"wait=30"`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of an earlier answer: 304 if it still holds"`
}

type statusOutput struct {
	Status     int
	ETag       string `header:"ETag"`
	RetryAfter string `header:"Retry-After" doc:"Seconds until the next poll; not there once it has ended"`
	Applied    string `header:"Preference-Applied"`
	Cache      string `header:"Cache-Control"`
	Body       api.Execution
}

func (s *Server) statusRoutes() {
	operation(s, streamToken, huma.Operation{
		OperationID: "getStatus", Method: http.MethodGet, Path: "/execute/status/{id}",
		Tags: []string{"executions"}, Summary: "Ask where an execution stands",
		Responses: map[string]*huma.Response{"304": response("Nothing has changed", nil)},
	}, s.status, http.StatusNotFound, http.StatusServiceUnavailable)
	s.documentMetrics()
}

// documentMetrics says that they may be null: huma cannot say so of an object.
func (s *Server) documentMetrics() {
	fields := s.api.OpenAPI().Components.Schemas.Map()["Execution"].Properties
	sample := fields["metrics"]
	fields["metrics"] = &huma.Schema{OneOf: []*huma.Schema{{Ref: sample.Ref}, {Type: "null"}}, Description: sample.Description}
}

func (s *Server) status(ctx context.Context, in *statusInput) (*statusOutput, error) {
	out := &statusOutput{Cache: "no-cache"}
	wait, err := waitOf("wait", in.Wait)
	if err != nil {
		return nil, err
	}
	if preferred, ok := preferWait(in.Prefer); ok && in.Wait == "" {
		wait, out.Applied = preferred, "wait="+fmt.Sprint(int(preferred/time.Second))
	}
	news := func(rec *execution.Record) bool { return rec.Status.Terminal() }
	if in.After != "" {
		after, err := execution.ParseCursor(in.After)
		if err != nil {
			return nil, err
		}
		rec, err := s.get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if err := notFuture(rec, "after", after); err != nil {
			return nil, err
		}
		news = func(rec *execution.Record) bool { return rec.Status.Terminal() || rec.Last > after }
	}
	rec, err := s.await(ctx, in.ID, wait, news)
	if err != nil {
		return nil, err
	}
	if out.Body, err = s.describeRecord(ctx, rec); err != nil {
		return nil, err
	}
	out.ETag = etag(&out.Body)
	if !rec.Status.Terminal() {
		out.RetryAfter = fmt.Sprint(retryPoll)
	}
	out.Status = http.StatusOK
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

// etag changes with each event and with each step in line, which is no event.
func etag(e *api.Execution) string {
	if e.QueuePosition != nil {
		return fmt.Sprintf(`W/"%d-%d"`, e.LastEvent, *e.QueuePosition)
	}
	return fmt.Sprintf(`W/"%d"`, e.LastEvent)
}

// describeRecord is rec as the wire shows it, with its place in line.
func (s *Server) describeRecord(ctx context.Context, rec *execution.Record) (api.Execution, error) {
	e := executionOf(rec, s.Now())
	if rec.Status != execution.Queued {
		return e, nil
	}
	position, err := s.Records.Position(ctx, rec)
	if err != nil {
		return e, err
	}
	position = max(0, position) // it has left the line meanwhile
	e.QueuePosition = &position
	return e, nil
}

func executionOf(rec *execution.Record, now time.Time) api.Execution {
	spec := &rec.Spec
	e := api.Execution{
		ID: rec.ID, Status: rec.Status,
		Command: strPtr(spec.Command), Args: append([]string{}, spec.Args...), Engine: strPtr(spec.Engine),
		CreatedAt: api.Time{Time: rec.CreatedAt}, StartedAt: api.TimePtr(rec.StartedAt), CompletedAt: api.TimePtr(rec.EndedAt),
		DurationSeconds: math.Round(rec.Duration(now).Seconds()*1000) / 1000,
		Attempt:         rec.Attempt, MaxAttempts: spec.MaxAttempts, Worker: strPtr(rec.Worker),
		TimeoutSeconds: spec.TimeoutSeconds, CancelRequestedAt: api.TimePtr(rec.CancelRequestedAt),
		Progress: rec.Progress, Metrics: (*api.Metrics)(rec.Metrics), Labels: spec.Labels, LastEvent: rec.Last, LogBytes: rec.LogBytes,
		PastAttempts: []api.PastAttempt{}, Links: api.LinksOf(rec.ID),
	}
	for _, p := range rec.Past {
		e.PastAttempts = append(e.PastAttempts, api.PastAttempt{
			Attempt: p.Outcome.Attempt, Worker: p.Outcome.Worker, Reason: p.Outcome.Reason, Message: p.Outcome.Message,
			StartedAt: api.Time{Time: p.StartedAt}, EndedAt: api.Time{Time: p.EndedAt},
		})
	}
	if spec.RerunOf != "" {
		e.RerunOf = &spec.RerunOf
	}
	if e.Labels == nil {
		e.Labels = map[string]string{}
	}
	if rec.Status == execution.Running && !rec.StartedAt.IsZero() {
		e.Deadline = api.TimePtr(rec.StartedAt.Add(spec.Timeout()))
	}
	if o := rec.Outcome; o != nil {
		e.ReturnCode, e.ExitCode = o.ReturnCode(), o.ExitCode
		e.Reason, e.Signal, e.ErrorMessage = &o.Reason, strPtr(o.Signal), strPtr(o.Message)
		e.CPUSeconds, e.PeakMemoryBytes = &o.CPUSeconds, &o.PeakMemoryBytes
	}
	return e
}

// strPtr is nil for the empty string, which bodies show as null.
func strPtr(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
