package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type outputInput struct {
	PathID
	After  string `query:"after" doc:"Only events after this number" example:"41"`
	Limit  string `query:"limit" doc:"At most this many events on a page, 1 to 10000" example:"1000"`
	Stream string `query:"stream" doc:"Only chunks of stdout or of stderr (and gaps)" example:"stdout"`
	Format string `query:"format" doc:"json, text or ndjson, instead of the Accept header" example:"text"`
	Follow bool   `query:"follow" doc:"With text and ndjson: go on until the end"`
	Tail   string `query:"tail" doc:"With text: only the last so many bytes, at most 1048576" example:"10000"`
	Accept string `header:"Accept" doc:"application/json, text/plain (the byte-exact log) or application/x-ndjson"`
}

// Sizes of a JSON page.
const (
	defaultEvents = 1000
	maxEvents     = 10000
	pageBytes     = 4 << 20 // of chunks and data: what one answer may hold in memory
	maxTail       = 1 << 20
)

func (s *Server) outputRoutes() {
	content := jsonOf[api.Output](s)
	content["text/plain"] = text("text/plain")["text/plain"]
	content["application/x-ndjson"] = text("application/x-ndjson")["application/x-ndjson"]
	operation(s, streamToken, huma.Operation{
		OperationID: "getOutput", Method: http.MethodGet, Path: "/execute/output/{id}",
		Tags: []string{"executions"}, Summary: "Read output, result and artifacts",
		Description: "JSON pages of events; as text/plain the exact bytes that the engine wrote, as application/x-ndjson one event a line. A response that is cut short was not the whole log: its connection is broken off on purpose.",
		Responses:   map[string]*huma.Response{"200": response("A page, or the log", content)},
	}, s.output, http.StatusNotFound, http.StatusServiceUnavailable)
}

// selection is what of a log a caller wants.
type selection struct {
	after  execution.Cursor
	limit  int
	stream execution.Stream // NoStream: everything
	follow bool
	tail   int
}

// admits says whether e is wanted. Gaps always are: what is missing must show.
func (sel *selection) admits(e *execution.Event) bool {
	return sel.stream == execution.NoStream || e.Stream == sel.stream || e.Type == execution.EventGap
}

func (in *outputInput) selection() (sel selection, err error) {
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	sel.follow = in.Follow
	sel.after, err = execution.ParseCursor(in.After)
	note(err)
	sel.limit, err = number("limit", in.Limit, 1, maxEvents, defaultEvents)
	note(err)
	sel.tail, err = number("tail", in.Tail, 1, maxTail, 0)
	note(err)
	switch in.Stream {
	case "":
	case "stdout":
		sel.stream = execution.Stdout
	case "stderr":
		sel.stream = execution.Stderr
	default:
		note(execution.InvalidField("stream", "must be stdout or stderr"))
	}
	return sel, mergeInvalid(problems...)
}

// number reads a whole number between low and high from a query.
func number(name, value string, low, high, def int) (int, error) {
	if value == "" {
		return def, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, execution.InvalidField(name, "must be a whole number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high))
	}
	return n, nil
}

func (s *Server) output(ctx context.Context, in *outputInput) (*huma.StreamResponse, error) {
	sel, err := in.selection()
	if err != nil {
		return nil, err
	}
	rec, err := s.get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := notFuture(rec, "after", sel.after); err != nil {
		return nil, err
	}
	switch in.form() {
	case "text":
		return s.streamLog(rec, sel, "text/plain; charset=utf-8", writeText), nil
	case "ndjson":
		return s.streamLog(rec, sel, "application/x-ndjson", writeNDJSON), nil
	case "json":
	default:
		return nil, execution.InvalidField("format", "must be json, text or ndjson")
	}
	page, err := s.page(ctx, rec, sel)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		hc.SetHeader("Cache-Control", "no-cache")
		hc.SetStatus(http.StatusOK)
		_ = json.NewEncoder(hc.BodyWriter()).Encode(page) // the client is gone if this fails
	}}, nil
}

// form is json, text or ndjson: by ?format=, else by the first type of Accept that we have.
func (in *outputInput) form() string {
	if in.Format != "" {
		return in.Format
	}
	for part := range strings.SplitSeq(in.Accept, ",") {
		mediaType, _, _ := strings.Cut(part, ";")
		switch strings.TrimSpace(mediaType) {
		case "application/json", "*/*":
			return "json"
		case "text/plain":
			return "text"
		case "application/x-ndjson":
			return "ndjson"
		}
	}
	return "json"
}

// page gathers one JSON page.
func (s *Server) page(ctx context.Context, rec *execution.Record, sel selection) (*api.Output, error) {
	page := &api.Output{ID: rec.ID, Events: []api.Event{}, NextAfter: sel.after, Artifacts: []api.Artifact{}}
	var joined []byte
	size := 0
	for events, err := range s.replay(ctx, rec.ID, sel.after, rec.Last) {
		if err != nil {
			return nil, err
		}
		for i := range events {
			e := &events[i]
			if len(page.Events) == sel.limit || size >= pageBytes {
				break
			}
			page.NextAfter = e.Seq
			if !sel.admits(e) {
				continue
			}
			page.Events = append(page.Events, api.EventOf(e))
			joined = append(joined, e.Bytes...)
			size += e.Size()
		}
		if len(page.Events) == sel.limit || size >= pageBytes {
			break
		}
	}
	page.Output = strings.ToValidUTF8(string(joined), "\uFFFD")
	page.Status, page.ReturnCode, page.Result = rec.Status, rec.Outcome.ReturnCode(), rec.Result
	page.More = page.NextAfter < rec.Last
	if rec.Outcome != nil && rec.Outcome.Artifacts > 0 { // else a look at the store would be in vain
		list, err := s.artifactsOf(ctx, rec.ID)
		if err != nil {
			return nil, err
		}
		page.Artifacts = list
	}
	return page, nil
}
