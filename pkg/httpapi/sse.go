package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/longhaul/longhaul/pkg/execution"
)

// EncodeSSE is e as one frame of an event stream (WHATWG HTML, 9.2): number as
// id, type as event, and the data as one line of JSON.
func EncodeSSE(e *execution.Event) ([]byte, error) {
	b := make([]byte, 0, len(e.Bytes)+len(e.Bytes)/16+len(e.Data)+len(e.Type)+160)
	b = strconv.AppendUint(append(b, "id: "...), uint64(e.Seq), 10)
	b = append(append(b, "\nevent: "...), eventName(e.Type)...)
	b = append(b, "\ndata: "...)
	if e.Type == execution.EventLog {
		b = e.AppendChunk(b)
	} else {
		b = append(b, oneLine(e.JSON())...)
	}
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

// splitFrame takes a frame of EncodeSSE apart.
func splitFrame(frame []byte) (id, name string, data []byte) {
	head, data, _ := bytes.Cut(frame, []byte("\ndata: "))
	idLine, nameLine, _ := strings.Cut(string(head), "\n")
	return strings.TrimPrefix(idLine, "id: "), strings.TrimPrefix(nameLine, "event: "), bytes.TrimSuffix(data, []byte("\n\n"))
}

// An edit appends a frame to b as one kind of stream wants it, or leaves it out.
type edit func(b, frame []byte) []byte

// wantedTypes are those listed with commas between, and gaps and the end, which
// are always told; nil means all.
func wantedTypes(list string) map[string]bool {
	if list == "" {
		return nil
	}
	wanted := map[string]bool{string(execution.EventEnd): true, string(execution.EventGap): true}
	for name := range strings.SplitSeq(list, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	return wanted
}

// only leaves out all types but those listed.
func only(list string) edit {
	wanted := wantedTypes(list)
	if wanted == nil {
		return nil
	}
	return func(b, frame []byte) []byte {
		if _, name, _ := splitFrame(frame); !wanted[name] {
			return b
		}
		return append(b, frame...)
	}
}

// idOf puts the execution's id before each number, for streams whose path does
// not name the execution.
func idOf(id execution.ID) edit {
	return func(b, frame []byte) []byte {
		b = append(append(b, "id: "...), id...)
		b = append(b, ':')
		return append(b, bytes.TrimPrefix(frame, []byte("id: "))...)
	}
}

// sse writes an event stream. A write that fails means that the reader is gone
// or takes nothing: it is cut, and comes back with its cursor.
type sse struct {
	w    *echo.Response
	rc   *http.ResponseController
	edit edit // nil: frames as they are
	buf  []byte
}

// retryHint is how long clients wait before they reconnect.
const retryHint = 2 * time.Second

// newSSE sends the head. No proxy on the way may hold back or transform.
func newSSE(c echo.Context, e edit) *sse {
	w := c.Response()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return &sse{w: w, rc: http.NewResponseController(w.Writer), edit: e}
}

// retry tells the client when to reconnect.
func (s *sse) retry(d time.Duration) error {
	return s.send(fmt.Appendf(nil, "retry: %d\n\n", d.Milliseconds()))
}

// keepAlive writes a comment, so that no proxy takes the silence for death.
func (s *sse) keepAlive() error { return s.send(keepAliveFrame) }

// frames writes all wanted frames of a batch in one write, and says whether
// there were any.
func (s *sse) frames(frames [][]byte) (wrote bool, err error) {
	s.buf = s.buf[:0]
	for _, frame := range frames {
		switch {
		case len(frame) == 0: // an event that could not be encoded
		case s.edit == nil:
			s.buf = append(s.buf, frame...)
		default:
			s.buf = s.edit(s.buf, frame)
		}
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
