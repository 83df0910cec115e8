package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
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
		if sel.asAFile {
			w.Header().Set("Content-Disposition", sel.disposition(rec.ID))
		}
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
	var buf bytes.Buffer
	copyEvents := func(events []execution.Event) error {
		buf.Reset()
		for i := range events {
			if sel.admits(&events[i]) {
				sel.begun.apply(&events[i])
				if err := write(&buf, &events[i]); err != nil {
					return err
				}
			}
		}
		_, err := w.Write(buf.Bytes())
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

// disposition is the header by which a browser saves a log as a file.
func (sel *selection) disposition(id execution.ID) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": string(id) + sel.extension})
}

// textForm writes a chunk's own bytes, and a line of ours where some are gone.
// Stamped, each line begins with the time of the chunk that its first byte came in.
func textForm(stamped bool) func(*bytes.Buffer, *execution.Event) error {
	begun := false // a line, and not ended
	return func(buf *bytes.Buffer, e *execution.Event) error {
		if !stamped {
			buf.Write(e.Bytes)
		} else {
			for line := range bytes.Lines(e.Bytes) {
				if !begun {
					buf.WriteString(e.Time.UTC().Format(execution.TimeFormat) + " ")
				}
				buf.Write(line)
				begun = line[len(line)-1] != '\n'
			}
		}
		if e.Type == execution.EventGap {
			var gap execution.GapData
			_ = json.Unmarshal(e.Data, &gap) // the line is worth writing without its numbers
			fmt.Fprintf(buf, "\n[longhaul: events %d to %d are gone: %s]\n", gap.From, gap.To, gap.Reason)
			begun = false
		}
		return nil
	}
}

func writeNDJSON(buf *bytes.Buffer, e *execution.Event) error {
	return json.NewEncoder(buf).Encode(api.EventOf(e))
}
