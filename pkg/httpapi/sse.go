package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/longhaul/longhaul/pkg/execution"
)

// EncodeSSE is e as one frame of an event stream (WHATWG HTML, 9.2): number as
// id, type as event, and the data as one line of JSON.
func EncodeSSE(e *execution.Event) ([]byte, error) {
	data, err := e.JSON()
	if err != nil {
		return nil, fmt.Errorf("encode event %d: %w", e.Seq, err)
	}
	b := make([]byte, 0, len(data)+len(e.Type)+40)
	b = append(b, "id: "...)
	b = append(b, e.Seq.String()...)
	b = append(b, "\nevent: "...)
	b = append(b, eventName(e.Type)...)
	b = append(b, "\ndata: "...)
	b = append(b, oneLine(data)...)
	return append(b, "\n\n"...), nil
}

// eventName is the type without what would end its line: engines choose types too.
func eventName(t execution.EventType) string {
	name := string(t)
	if strings.ContainsAny(name, "\r\n\x00") {
		name = strings.Map(func(r rune) rune {
			if r == '\r' || r == '\n' || r == 0 {
				return '_'
			}
			return r
		}, name)
	}
	return name
}

// oneLine takes the line ends out of data that an engine has indented. What is
// no JSON, which an append should have refused, becomes a JSON string.
func oneLine(data []byte) []byte {
	if !bytes.ContainsAny(data, "\r\n") {
		return data
	}
	var b bytes.Buffer
	if json.Compact(&b, data) == nil {
		return b.Bytes()
	}
	quoted, _ := json.Marshal(string(data)) // a string cannot fail
	return quoted
}

// frameType finds the type in a frame of EncodeSSE.
func frameType(frame []byte) string {
	_, rest, _ := bytes.Cut(frame, []byte("\nevent: "))
	name, _, _ := bytes.Cut(rest, []byte("\n"))
	return string(name)
}

// sse writes an event stream. A write that fails means that the reader is gone
// or takes nothing: it is cut, and comes back with its cursor.
type sse struct {
	w     *echo.Response
	rc    *http.ResponseController
	buf   []byte
	idBy  string // put before each number: "" or "<execution id>:"
	types map[string]bool
}

// retryHint is how long clients wait before they reconnect.
const retryHint = 2 * time.Second

// newSSE sends the head. No proxy on the way may hold back or transform.
func newSSE(c echo.Context) *sse {
	w := c.Response()
	s := &sse{w: w, rc: http.NewResponseController(w.Writer)}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	// huma's deadline for the body would end the request's context half a minute
	// into the stream: net/http reads on in the background.
	_ = s.rc.SetReadDeadline(time.Time{})
	return s
}

// retry tells the client when to reconnect.
func (s *sse) retry(d time.Duration) error {
	return s.send(fmt.Appendf(nil, "retry: %d\n\n", d.Milliseconds()))
}

// keepAlive writes a comment, so that no proxy takes the silence for death.
func (s *sse) keepAlive() error { return s.send([]byte(": keep-alive\n\n")) }

// frames writes all wanted frames of a batch in one write, and says whether
// there were any.
func (s *sse) frames(frames [][]byte) (wrote bool, err error) {
	s.buf = s.buf[:0]
	for _, frame := range frames {
		if s.types != nil && !s.types[frameType(frame)] {
			continue
		}
		if s.idBy != "" {
			s.buf = append(append(s.buf, "id: "...), s.idBy...)
			frame = bytes.TrimPrefix(frame, []byte("id: "))
		}
		s.buf = append(s.buf, frame...)
	}
	if len(s.buf) == 0 {
		return false, nil
	}
	return true, s.send(s.buf)
}

func (s *sse) send(b []byte) error {
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("write to the stream: %w", err)
	}
	return s.rc.Flush()
}
