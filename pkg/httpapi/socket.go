package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type socketInput struct {
	PathID
	After   string `query:"after" doc:"Only events after this number; end or $: only what comes from now on" example:"41"`
	Types   string `query:"types" doc:"Only events of these types, with commas between, and always gap and end" example:"progress,metrics"`
	Events  string `query:"events" doc:"The same as types" example:"log,end"`
	Upgrade string `header:"Upgrade" doc:"websocket"`
}

func (s *Server) socketRoutes() {
	operation(s, streamToken, huma.Operation{
		OperationID: "followExecution", Method: http.MethodGet, Path: "/execute/ws/{id}",
		Tags: []string{"streams"}, Summary: "Follow an execution (WebSocket)",
		Description: "Text messages, each of one or more lines, each line one event {seq, type, data}. The client may send {\"type\":\"cancel\"}. " +
			"Closed with 1000 after end; with any other code: connect again with after= the last seq.",
		Responses: map[string]*huma.Response{"101": response("The events", nil)},
	}, s.socket, http.StatusNotFound, http.StatusUpgradeRequired, http.StatusServiceUnavailable)
}

func (s *Server) socket(ctx context.Context, in *socketInput) (*huma.StreamResponse, error) {
	rec, err := s.get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	after, err := (&streamInput{After: in.After}).cursor(rec)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(in.Upgrade, "websocket") {
		return nil, execution.Errorf(api.CodeUpgrade, "this route speaks WebSocket only; GET /execute/stream/{id} has the same events without")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		s.sockets.Add(1)
		defer s.sockets.Done()
		c := humaecho.Unwrap(hc)
		conn, err := websocket.Accept(c.Response(), c.Request(), &websocket.AcceptOptions{
			// A foreign page that connects comes without a session (checkSession), so it has
			// the same token as every client. Without API_TOKENS trust has looked at
			// the page already.
			InsecureSkipVerify: true,
		})
		if err != nil {
			return // Accept has answered
		}
		s.serveSocket(hc.Context(), conn, in, rec.ID, after)
	}}, nil
}

// serveSocket follows one execution until its end, the client's going, or ours.
func (s *Server) serveSocket(ctx context.Context, conn *websocket.Conn, in *socketInput, id execution.ID, after execution.Cursor) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &socket{server: s, ctx: ctx, conn: conn, wanted: wantedTypes(cmp.Or(in.Types, in.Events)), id: id}
	go func() {
		defer cancel()
		w.listen()
	}()
	switch s.pump(ctx, w, id, after, s.socketTime(ctx)) {
	case sawEnd:
		_ = conn.Close(websocket.StatusNormalClosure, "the execution has ended")
	case rotated:
		_ = conn.Close(websocket.StatusServiceRestart, "connect again, with after= the last seq")
	case goneOff:
		_ = conn.CloseNow()
	}
}

// socketTime is how long a WebSocket may last. The platform's edge, which cuts
// responses, lets it be.
func (s *Server) socketTime(ctx context.Context) time.Duration {
	if r := requestOf(ctx); !r.expires.IsZero() {
		return min(s.MaxSSE, r.expires.Sub(s.Now()))
	}
	return s.MaxSSE
}

// socket writes the events of one execution as messages, and hears its client.
type socket struct {
	server *Server
	ctx    context.Context // of the connection
	conn   *websocket.Conn
	wanted map[string]bool // types; nil is all
	id     execution.ID
	buf    []byte
}

// maxMessage is the largest message of a client: a cancel with a token in it.
const maxMessage = 4 << 10

// retry implements sink: a WebSocket says it with its closing code.
func (w *socket) retry(time.Duration) error { return nil }

// keepAlive implements sink: a ping that must be answered in time.
func (w *socket) keepAlive() error {
	ctx, cancel := context.WithTimeout(w.ctx, w.server.WriteTimeout)
	defer cancel()
	return w.conn.Ping(ctx)
}

// frames implements sink: all that there is in one message, an event a line.
func (w *socket) frames(frames [][]byte) (wrote bool, err error) {
	w.buf = w.buf[:0]
	for _, frame := range frames {
		if len(frame) == 0 {
			continue // an event that could not be encoded
		}
		seq, name, data := splitFrame(frame)
		if w.wanted != nil && !w.wanted[name] {
			continue
		}
		w.buf = append(append(w.buf, `{"seq":`...), seq...)
		w.buf = append(appendJSON(append(w.buf, `,"type":`...), name), `,"data":`...)
		w.buf = append(append(w.buf, data...), "}\n"...)
	}
	if len(w.buf) == 0 {
		return false, nil
	}
	return true, w.send(bytes.TrimSuffix(w.buf, []byte("\n")))
}

// appendJSON writes name as a JSON string. Nearly every type is a plain word.
func appendJSON(b []byte, name string) []byte {
	if strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
		quoted, _ := json.Marshal(name) // a string cannot fail
		return append(b, quoted...)
	}
	return append(append(append(b, '"'), name...), '"')
}

// send gives one message the time of one write: who takes nothing is cut, and
// comes back with its cursor.
func (w *socket) send(message []byte) error {
	ctx, cancel := context.WithTimeout(w.ctx, w.server.WriteTimeout)
	defer cancel()
	return w.conn.Write(ctx, websocket.MessageText, message)
}

// listen reads what the client says, until it goes away. It is also what makes
// pings and their answers be heard.
func (w *socket) listen() {
	w.conn.SetReadLimit(maxMessage)
	for {
		_, message, err := w.conn.Read(w.ctx)
		if err != nil {
			return
		}
		var request struct {
			Type  string `json:"type"`
			Token string `json:"token"` // of a page, which reads with a stream token
		}
		if json.Unmarshal(message, &request) != nil || request.Type != "cancel" {
			err = execution.InvalidField("type", `must be "cancel": that is all that a client may say here`)
		} else {
			err = w.cancel(request.Token)
		}
		if err != nil && w.tell("problem", w.problem(err)) != nil {
			return
		}
	}
}

func (w *socket) cancel(token string) error {
	s := w.server
	if r := requestOf(w.ctx); r.owner == "" && !s.tokens.open() && !known(token, s.tokens.api) {
		return execution.Errorf(execution.Unauthorized, `a stream token only reads: send {"type":"cancel","token":"…"} with one of the setting API_TOKENS`)
	}
	out, err := s.cancel(w.ctx, &cancelInput{PathID: PathID{ID: string(w.id)}})
	if err != nil {
		return err
	}
	return w.tell("cancel", out.Body)
}

func (w *socket) problem(err error) *api.Problem {
	if p, ok := errors.AsType[*api.Problem](err); ok {
		return p
	}
	return describe(requestOf(w.ctx), err)
}

// tell sends a line that is no event: it has no number.
func (w *socket) tell(kind string, data any) error {
	line, err := json.Marshal(struct {
		Type string `json:"type"`
		Data any    `json:"data"`
	}{kind, data})
	if err != nil {
		return err
	}
	return w.send(line)
}

// Wait waits for the streams and WebSockets that Drain has ended and no
// http.Server knows of. At the end of ctx it cuts the streams that are left.
func (s *Server) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.sockets.Wait()
		s.directs.running.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.directs.cut()
		return errors.New("streams still open after DRAIN_TIMEOUT were cut")
	}
}
