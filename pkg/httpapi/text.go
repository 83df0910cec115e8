package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// streamLog writes the selected events with write as they are read, one read in
// memory at a time. When it cannot finish it breaks the connection off, so that
// no client takes a part for the whole.
func (s *Server) streamLog(rec *execution.Record, sel selection, contentType string, write func(*bytes.Buffer, *execution.Event) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		w := humaecho.Unwrap(hc).Response()
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-store, no-transform")
		w.Header().Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		if err := s.copyLog(hc.Context(), w, rec, sel, write); err != nil {
			s.Logger.WarnContext(hc.Context(), "log broken off", "error", err, "execution_id", rec.ID)
			panic(http.ErrAbortHandler)
		}
	}}
}

func (s *Server) copyLog(ctx context.Context, w http.ResponseWriter, rec *execution.Record, sel selection, write func(*bytes.Buffer, *execution.Event) error) error {
	ctx, release := s.attach(ctx)
	defer release()
	flush := http.NewResponseController(w).Flush
	var out io.Writer = w
	tail := &tailWriter{limit: sel.tail}
	if sel.tail > 0 {
		out = tail
	}
	var buf bytes.Buffer
	copyEvents := func(events []execution.Event) error {
		buf.Reset()
		for i := range events {
			if sel.admits(&events[i]) {
				if err := write(&buf, &events[i]); err != nil {
					return err
				}
			}
		}
		_, err := out.Write(buf.Bytes())
		return err
	}
	after := sel.after
	for events, err := range s.replay(ctx, rec.ID, after, rec.Last) {
		if err == nil {
			err = copyEvents(events)
		}
		if err != nil {
			return err
		}
		after = events[len(events)-1].Seq
	}
	if sel.tail > 0 {
		out = w
		if _, err := w.Write(tail.kept); err != nil {
			return err
		}
	}
	if !sel.follow || rec.Status.Terminal() {
		return nil
	}
	_ = flush() // a client that follows wants what is there at once
	for events, err := range s.follow(ctx, rec.ID, after) {
		if err == nil {
			err = copyEvents(events)
		}
		if err == nil {
			err = flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeText writes a chunk's own bytes, and a line of ours where some are gone.
func writeText(buf *bytes.Buffer, e *execution.Event) error {
	buf.Write(e.Bytes)
	if e.Type == execution.EventGap {
		var gap execution.GapData
		_ = json.Unmarshal(e.Data, &gap) // the line is worth writing without its numbers
		fmt.Fprintf(buf, "\n[longhaul: events %d to %d are gone: %s]\n", gap.From, gap.To, gap.Reason)
	}
	return nil
}

func writeNDJSON(buf *bytes.Buffer, e *execution.Event) error {
	return json.NewEncoder(buf).Encode(api.EventOf(e))
}

// tailWriter keeps the last limit bytes of what is written.
type tailWriter struct {
	limit int
	kept  []byte
}

// Write implements io.Writer.
func (t *tailWriter) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.limit; over > 0 {
		t.kept = t.kept[:copy(t.kept, t.kept[over:])]
	}
	return len(p), nil
}
