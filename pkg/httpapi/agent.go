package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// agentEngine is the engine of the catalog behind POST /agent/run.
const agentEngine = "agent"

type agentInput struct {
	ResumeInput
	Body payload
}

// payload is any JSON object, byte for byte.
type payload []byte

// Schema implements huma.SchemaProvider.
func (payload) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// UnmarshalJSON keeps a copy: huma uses its buffer again.
func (p *payload) UnmarshalJSON(b []byte) error {
	*p = bytes.Clone(b)
	return nil
}

func (s *Server) agentRoutes() {
	operation(s, bearer, huma.Operation{
		OperationID: "runAgent", Method: http.MethodPost, Path: "/agent/run",
		Tags: []string{"streams"}, Summary: "Run the engine named agent and hear it speak (server-sent events)",
		Description: "The body, any JSON object, goes to the engine's stdin. What it writes to stdout comes as it is written, as plain data lines: joined with line ends, and event after event, they are its exact text. The response ends with event: end, before which event: error carries a problem if it did not complete. A cut line leaves it running, unless on_disconnect=cancel.",
		Responses:   startedStream("What the engine writes to stdout"),
	}, s.runAgent, append(submitProblems, http.StatusNotFound)...)
}

func (s *Server) runAgent(ctx context.Context, in *agentInput) (*huma.StreamResponse, error) {
	spec := execution.Spec{Engine: agentEngine, Input: json.RawMessage(in.Body)}
	r := requestOf(ctx)
	return s.startAndStream(ctx, spec, &in.ResumeInput, func(id execution.ID) edit {
		return (&speech{id: id, request: r}).edit
	})
}

// speech turns frames into what the engine says.
type speech struct {
	id      execution.ID
	request *request
	held    []byte // chunks that end within a character, until the rest of it comes
}

func (sp *speech) edit(b, frame []byte) []byte {
	number, name, data := splitFrame(frame)
	switch execution.EventType(name) {
	case execution.EventLog:
		var chunk api.LogData
		if json.Unmarshal(data, &chunk) != nil || chunk.Stream != execution.Stdout.String() {
			return b
		}
		sp.held = append(sp.held, chunk.Bytes()...)
		// A chunk is held as a whole: whoever resumes after the last id gets it again.
		if endsWithin(sp.held) {
			return b
		}
		return sp.say(b, number)
	case execution.EventGap:
		return append(append(append(b, ": gap "...), data...), "\n\n"...)
	case execution.EventEnd:
		b = sp.say(b, "")
		b = sp.complain(b, data)
		return sp.line(append(sp.idLine(b, number), "event: end\n"...), data)
	}
	return b
}

// say appends what is held as data lines. An empty number gives no id.
func (sp *speech) say(b []byte, number string) []byte {
	if len(sp.held) == 0 {
		return b
	}
	if number != "" {
		b = sp.idLine(b, number)
	}
	text := bytes.ToValidUTF8(sp.held, []byte("\uFFFD"))
	sp.held = sp.held[:0]
	// CR ends a line of an event stream too and cannot be carried: it becomes LF.
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		b = append(append(append(b, "data: "...), line...), '\n')
	}
	return append(b, '\n')
}

// complain appends the error event, unless the execution has completed.
func (sp *speech) complain(b, ending []byte) []byte {
	var end struct {
		Status  execution.Status `json:"status"`
		Message string           `json:"error_message"`
	}
	if json.Unmarshal(ending, &end) != nil || end.Status == execution.Completed {
		return b
	}
	message := "the engine ended with status " + string(end.Status)
	if end.Message != "" {
		message += ": " + end.Message
	}
	p := describe(sp.request, &execution.Error{Code: api.CodeUnfinished, Message: message})
	p.ExecutionID, p.ExecutionStatus = sp.id, end.Status
	data, _ := json.Marshal(p) // plain fields cannot fail
	return sp.line(append(b, "event: error\n"...), data)
}

func (sp *speech) idLine(b []byte, number string) []byte {
	b = append(append(b, "id: "...), sp.id...)
	return append(append(append(b, ':'), number...), '\n')
}

func (sp *speech) line(b, data []byte) []byte {
	return append(append(append(b, "data: "...), data...), "\n\n"...)
}

// endsWithin says whether b ends inside a UTF-8 character.
func endsWithin(b []byte) bool {
	for i := 1; i <= min(utf8.UTFMax-1, len(b)); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			return !utf8.FullRune(b[len(b)-i:])
		}
	}
	return false
}
