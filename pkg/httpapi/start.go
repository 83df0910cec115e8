package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/dispatch"
	"github.com/longhaul/longhaul/pkg/execution"
)

type startInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes a repeated request safe: the same key with the same body gives the same execution"`
	Body           api.StartRequest
}

type startOutput struct {
	Location   string `header:"Location" doc:"Where to ask for its status"`
	RetryAfter int    `header:"Retry-After" doc:"Seconds until asking is worthwhile"`
	Replayed   string `header:"Idempotency-Replayed" doc:"true when the key was known and nothing new was started"`
	Body       api.Started
}

// retryPoll is the poll interval suggested to those who poll: seconds.
const retryPoll = 2

func (s *Server) startRoutes() {
	operation(s, bearer, huma.Operation{
		OperationID: "startExecution", Method: http.MethodPost, Path: "/execute/start",
		DefaultStatus: http.StatusAccepted, Tags: []string{"executions"},
		Summary:     "Start an execution in the background",
		Description: "Answers once the execution is stored: from then on it is never lost. Give command and args, or engine and params. As multipart/form-data the request may bring files.",
		Middlewares: huma.Middlewares{s.takeUpload},
	}, s.start, submitProblems...)
	s.documentUpload()
	operation(s, bearer, huma.Operation{
		OperationID: "renewStreamToken", Method: http.MethodPost, Path: "/execute/stream-token/{id}",
		Tags: []string{"streams"}, Summary: "Get a new stream token for an execution",
		Description: "For browsers whose EventSource cannot set a header. Go on with the same cursor.",
	}, s.renewToken, http.StatusNotFound, http.StatusServiceUnavailable)
}

// submitProblems are the answers that every way of starting shares.
var submitProblems = []int{http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}

func (s *Server) start(ctx context.Context, in *startInput) (*startOutput, error) {
	if len(in.Body.Files) > 0 {
		return nil, execution.InvalidField("files", "come as parts of multipart/form-data, or with POST /execute/rerun/{id}; here they are only told")
	}
	receipt, err := s.submit(ctx, in.Body.Spec(), in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return s.started(receipt), nil
}

// started is the answer to every way of starting in the background.
func (s *Server) started(receipt dispatch.Receipt) *startOutput {
	rec := receipt.Record
	token, _ := s.tokens.issue(rec.ID)
	links := api.LinksOf(rec.ID)
	out := &startOutput{
		Location: links.Status, RetryAfter: retryPoll,
		Body: api.Started{
			ID: rec.ID, Status: rec.Status, Message: "Execution started in background",
			Links: links, StreamToken: token,
		},
	}
	if rec.Status == execution.Queued {
		out.Body.QueuePosition = &receipt.Position
	}
	if receipt.Replayed {
		out.Replayed = "true"
	}
	return out
}

// submit checks spec against catalog and limits and hands it over. It reports
// every problem of the request at once.
func (s *Server) submit(ctx context.Context, spec execution.Spec, key string) (dispatch.Receipt, error) {
	fromCatalog := s.Catalog.Complete(&spec)
	if fromCatalog != nil && execution.CodeOf(fromCatalog) != execution.Invalid {
		return dispatch.Receipt{}, fromCatalog
	}
	spec.Normalize(s.Limits)
	if err := mergeInvalid(fromCatalog, spec.Validate(s.Limits), s.checkWebhook(ctx, spec.WebhookURL)); err != nil {
		return dispatch.Receipt{}, err
	}
	o := dispatch.Options{IdempotencyKey: key, Owner: ownerOf(ctx)}
	if up := uploadOf(ctx); up != nil || len(spec.Files) > 0 {
		return s.submitWithFiles(ctx, spec, o, up)
	}
	return s.Dispatcher.Submit(ctx, spec, o)
}

func (s *Server) checkWebhook(ctx context.Context, url string) error {
	if url == "" || s.WebhookOK == nil {
		return nil
	}
	err := s.WebhookOK(ctx, url)
	if _, ok := errors.AsType[*execution.Error](err); err != nil && !ok {
		return execution.InvalidField("webhook_url", err.Error())
	}
	return err
}

// mergeInvalid joins the fields of all errors; of several for one place the
// first counts, since the later ones mostly follow from it.
func mergeInvalid(errs ...error) error {
	all := &execution.Error{Code: execution.Invalid, Message: "the request is not valid"}
	for _, err := range errs {
		e, ok := errors.AsType[*execution.Error](err)
		switch {
		case err == nil:
		case !ok || e.Code != execution.Invalid:
			return err
		case len(e.Fields) == 0:
			all.Message, all.Fields = e.Message, append(all.Fields, execution.Field{Message: e.Message})
		}
		if e == nil {
			continue
		}
		for _, f := range e.Fields {
			if !slices.ContainsFunc(all.Fields, func(g execution.Field) bool { return g.Location == f.Location }) {
				all.Fields = append(all.Fields, f)
			}
		}
	}
	if len(all.Fields) == 0 {
		return nil
	}
	return all
}

// PathID is the path of everything about one execution. It is exported only
// because huma looks into exported embedded structs alone.
type PathID struct {
	ID string `path:"id" doc:"The execution's id" example:"exec_1762548673499_vqx7d3cpo"`
}

type tokenOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         api.StreamToken
}

func (s *Server) renewToken(ctx context.Context, in *PathID) (*tokenOutput, error) {
	rec, err := s.get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	token, expires := s.tokens.issue(rec.ID)
	return &tokenOutput{"no-store", api.StreamToken{Token: token, ExpiresAt: api.Time{Time: expires}}}, nil
}

// get reads the record of the execution that a path names.
func (s *Server) get(ctx context.Context, id string) (*execution.Record, error) {
	parsed, err := execution.ParseID(id)
	if err != nil {
		return nil, err
	}
	return s.Records.Get(ctx, parsed)
}
