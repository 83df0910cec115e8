package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type outputInput struct {
	PathID
	After      string `query:"after" doc:"Only events after this number" example:"41"`
	Limit      string `query:"limit" doc:"At most this many events on a page, 1 to 10000" example:"1000"`
	Stream     string `query:"stream" doc:"Only chunks of stdout or of stderr (and gaps)" example:"stdout"`
	Format     string `query:"format" doc:"json, text or ndjson, instead of the Accept header" example:"text"`
	Follow     bool   `query:"follow" doc:"With text and ndjson: go on until the end"`
	Types      string `query:"types" doc:"Only events of these types, with commas between (and gaps)" example:"progress,metrics"`
	Tail       string `query:"tail" doc:"Begin so many lines of output before the end, 1 to 100000; 16 MiB back at most" example:"100"`
	Since      string `query:"since" doc:"Only events of this instant or later, RFC 3339" example:"2025-01-07T19:11:13Z"`
	Timestamps bool   `query:"timestamps" doc:"With text: each line begins with its time"`
	Download   bool   `query:"download" doc:"For a browser that is to save it as a file"`
	Accept     string `header:"Accept" doc:"application/json, text/plain (the byte-exact log) or application/x-ndjson"`
}

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
	if err := s.begin(ctx, rec, &sel); err != nil {
		return nil, err
	}
	switch in.form() {
	case "text":
		sel.extension = ".log"
		return s.streamLog(rec, sel, "text/plain; charset=utf-8", textForm(sel.stamped)), nil
	case "ndjson":
		sel.extension = ".ndjson"
		return s.streamLog(rec, sel, "application/x-ndjson", writeNDJSON), nil
	case "json":
		sel.extension = ".json"
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
		if sel.asAFile {
			hc.SetHeader("Content-Disposition", sel.disposition(rec.ID))
		}
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
			sel.begun.apply(e)
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
