package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// ResumeInput is what POST and GET /execute and POST /agent/run share. It is
// exported only because huma looks into exported embedded structs alone.
type ResumeInput struct {
	OnDisconnect   string `query:"on_disconnect" enum:"continue,cancel" doc:"What becomes of the execution when the client goes away: it continues, or is cancelled" example:"cancel"`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes a repeated request safe: it follows the execution that the first one started"`
	LastEventID    string `header:"Last-Event-ID" doc:"What EventSource sends after a cut: the execution goes on being followed and no other is started"`
}

type executeInput struct {
	ResumeInput
	Body api.StartRequest
}

type executeQuery struct {
	ResumeInput
	Command        string   `query:"command" doc:"A program that the catalog allows" example:"python"`
	Args           []string `query:"args,explode" doc:"Repeated, or once as a JSON list of strings" example:"[\"src/main.py\",\"--test-mode\"]"`
	Engine         string   `query:"engine" doc:"An engine of the catalog, instead of command" example:"agent"`
	Params         string   `query:"params" doc:"The engine's parameters as JSON"`
	Input          string   `query:"input" doc:"JSON for the engine's stdin"`
	TimeoutSeconds int64    `query:"timeout_seconds" doc:"How long the engine may run" example:"60"`
	Queue          string   `query:"queue" doc:"critical, default or low"`
}

func (s *Server) executeRoutes() {
	const about = "For quick runs with live output. A cut line leaves the execution running, unless on_disconnect=cancel: follow it again at /execute/stream/{id} with the id of X-Execution-Id. The ids of these events are \"<execution id>:<number>\", so that an EventSource that reconnects here resumes and starts nothing."
	operation(s, bearer, huma.Operation{
		OperationID: "executeAndStream", Method: http.MethodPost, Path: "/execute",
		Tags: []string{"streams"}, Summary: "Start an execution and follow it (server-sent events)",
		Description: about, Responses: startedStream("The events; the first is a status event"),
	}, s.execute, append(submitProblems, http.StatusNotFound)...)
	operation(s, bearer, huma.Operation{
		OperationID: "executeAndStreamByQuery", Method: http.MethodGet, Path: "/execute",
		Tags: []string{"streams"}, Summary: "The same for clients that can only GET",
		Description: about, Responses: startedStream("The events; the first is a status event"),
	}, s.executeByQuery, append(submitProblems, http.StatusNotFound)...)
}

// startedStream documents the answers of routes that start and stream.
func startedStream(description string) map[string]*huma.Response {
	started := response(description, text("text/event-stream"))
	started.Headers = map[string]*huma.Param{"X-Execution-Id": {Schema: &huma.Schema{Type: huma.TypeString}, Description: "The execution's id"}}
	return map[string]*huma.Response{"200": started, "204": response("The client has seen the end event: do not reconnect", nil)}
}

func (s *Server) execute(ctx context.Context, in *executeInput) (*huma.StreamResponse, error) {
	return s.startAndStream(ctx, in.Body.Spec(), &in.ResumeInput, idOf)
}

func (s *Server) executeByQuery(ctx context.Context, in *executeQuery) (*huma.StreamResponse, error) {
	spec, err := in.spec()
	if err != nil && in.LastEventID == "" {
		return nil, err
	}
	return s.startAndStream(ctx, spec, &in.ResumeInput, idOf)
}

func (in *executeQuery) spec() (execution.Spec, error) {
	spec := execution.Spec{
		Command: in.Command, Args: in.Args, Engine: in.Engine,
		TimeoutSeconds: in.TimeoutSeconds, Queue: in.Queue,
	}
	var problems []error
	if len(in.Args) == 1 && strings.HasPrefix(strings.TrimSpace(in.Args[0]), "[") {
		spec.Args = nil
		if json.Unmarshal([]byte(in.Args[0]), &spec.Args) != nil {
			problems = append(problems, execution.InvalidField("args", "must be repeated, or one JSON list of strings"))
		}
	}
	for name, field := range map[string]struct {
		text string
		to   *json.RawMessage
	}{"params": {in.Params, &spec.Params}, "input": {in.Input, &spec.Input}} {
		switch {
		case field.text == "":
		case json.Valid([]byte(field.text)):
			*field.to = json.RawMessage(field.text)
		default:
			problems = append(problems, execution.InvalidField(name, "must be JSON"))
		}
	}
	return spec, mergeInvalid(problems...)
}

// startAndStream starts spec and follows it, or follows what an earlier
// connection had started. editFor makes the frames of the route.
func (s *Server) startAndStream(ctx context.Context, spec execution.Spec, in *ResumeInput, editFor func(execution.ID) edit) (*huma.StreamResponse, error) {
	rec, after, err := s.startOrResume(ctx, spec, in)
	if err != nil {
		return nil, err
	}
	if rec.Status.Terminal() && after >= rec.Last {
		return noContent(), nil
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("X-Execution-Id", string(rec.ID))
		w := newSSE(humaecho.Unwrap(hc), editFor(rec.ID))
		if s.pump(hc.Context(), w, rec.ID, after, s.responseTime(hc.Context())) == goneOff && in.OnDisconnect == "cancel" {
			s.cancelAbandoned(hc.Context(), rec.ID)
		}
	}}, nil
}

// startOrResume never starts anything for a client that reconnects.
func (s *Server) startOrResume(ctx context.Context, spec execution.Spec, in *ResumeInput) (*execution.Record, execution.Cursor, error) {
	if in.LastEventID == "" {
		receipt, err := s.submit(ctx, spec, in.IdempotencyKey)
		return receipt.Record, 0, err
	}
	id, number, ok := strings.Cut(in.LastEventID, ":")
	if !ok {
		return nil, 0, execution.InvalidField("Last-Event-ID", "names no execution: resume with GET /execute/stream/{id}, or leave this header out to start another")
	}
	rec, err := s.get(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	after, err := (&streamInput{LastEventID: number}).cursor(rec)
	return rec, after, err
}

// cancelAbandoned cancels for a client that wanted that when it goes away.
func (s *Server) cancelAbandoned(ctx context.Context, id execution.ID) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // the request's own context has ended
	defer stop()
	if _, err := s.Dispatcher.Cancel(ctx, id); err != nil && execution.CodeOf(err) != execution.Conflict {
		s.Logger.ErrorContext(ctx, "cancel of an abandoned execution", "error", err, "execution_id", id)
	}
}
