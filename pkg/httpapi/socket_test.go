package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

// line is one line of a WebSocket's messages.
type line struct {
	Seq  int             `json:"seq"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// wire is a WebSocket as a test reads it.
type wire struct {
	t     *testing.T
	conn  *websocket.Conn
	lines []line // read and not taken yet
}

// plain leaves a WebSocket alone, which the OpenAPI document cannot describe.
var plain = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (w *world) dial(query, bearer string) *wire {
	w.t.Helper()
	o := &websocket.DialOptions{HTTPClient: plain, HTTPHeader: http.Header{}}
	if bearer != "" {
		o.HTTPHeader.Set("Authorization", "Bearer "+bearer)
	}
	conn, res, err := websocket.Dial(w.t.Context(), w.url+"/execute/ws/"+query, o)
	if err != nil {
		w.t.Fatalf("dial: %v: %s", err, readAll(w.t, res))
	}
	w.t.Cleanup(func() { _ = conn.CloseNow() })
	return &wire{t: w.t, conn: conn}
}

// next gives the next line, or the code with which the socket was closed.
func (c *wire) next() (l line, code websocket.StatusCode) {
	c.t.Helper()
	for len(c.lines) == 0 {
		ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
		_, message, err := c.conn.Read(ctx)
		cancel()
		if err != nil {
			if code = websocket.CloseStatus(err); code < 0 {
				c.t.Fatalf("read: %v", err)
			}
			return l, code
		}
		for text := range strings.SplitSeq(string(message), "\n") {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				c.t.Fatalf("line %q: %v", text, err)
			}
			c.lines = append(c.lines, l)
		}
	}
	l, c.lines = c.lines[0], c.lines[1:]
	return l, 0
}

// rest is "3:log" for each line up to the close, and its code.
func (c *wire) rest() string {
	c.t.Helper()
	var words []string
	for {
		l, code := c.next()
		if code != 0 {
			return strings.Join(append(words, code.String()), " ")
		}
		words = append(words, strconv.Itoa(l.Seq)+":"+l.Type)
	}
}

func TestAWebSocketReplaysFollowsAndEnds(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	c := w.dial(string(id), token)
	for _, want := range []string{"status", "status"} {
		if l, _ := c.next(); l.Type != want {
			t.Errorf("%+v, want %s", l, want)
		}
	}
	w.store.log(id, execution.Stdout, "one\ntwo\n")
	l, _ := c.next()
	var d api.LogData
	if err := json.Unmarshal(l.Data, &d); err != nil || d.Text != "one\ntwo\n" || l.Seq != 3 {
		t.Errorf("%+v, %v", l, err)
	}
	w.store.finish(id)
	if got := c.rest(); got != "4:end StatusNormalClosure" {
		t.Errorf("then came %s", got)
	}
	for query, want := range map[string]string{
		"":                  "1:status 2:status 3:log 4:end StatusNormalClosure",
		"?after=2":          "3:log 4:end StatusNormalClosure",
		"?after=4":          "StatusNormalClosure",
		"?events=progress":  "4:end StatusNormalClosure",
		"?events=log,agent": "3:log 4:end StatusNormalClosure",
	} {
		if got := w.dial(string(id)+query, token).rest(); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestAWebSocketIsRefusedAsEveryRequestIs(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	if p, _ := w.problem(http.StatusUpgradeRequired, "GET", "/execute/ws/"+string(id), ""); p.Code != api.CodeUpgrade {
		t.Errorf("without an upgrade: %+v", p)
	}
	for path, want := range map[string]int{
		string(id):              http.StatusUnauthorized, // no token
		string(id) + "?token=x": http.StatusUnauthorized,
	} {
		_, res, err := websocket.Dial(t.Context(), w.url+"/execute/ws/"+path, &websocket.DialOptions{HTTPClient: plain})
		if err == nil || res.StatusCode != want {
			t.Errorf("%s: %v %v", path, res, err)
		}
	}
	for path, want := range map[string]int{
		"exec_1762548673499_vqx7d3cpo": http.StatusNotFound,
		string(id) + "?after=99":       http.StatusUnprocessableEntity,
	} {
		_, res, err := websocket.Dial(t.Context(), w.url+"/execute/ws/"+path, &websocket.DialOptions{HTTPClient: plain, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
		if err == nil || res.StatusCode != want {
			t.Errorf("%s: %v %v", path, res, err)
		}
	}
}

func (c *wire) say(message string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(message)); err != nil {
		c.t.Fatal(err)
	}
}

// answer is the next line that is no event.
func (c *wire) answer() line {
	c.t.Helper()
	for {
		if l, code := c.next(); l.Seq == 0 || code != 0 {
			return l
		}
	}
}

func TestAWebSocketTakesACancel(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	c := w.dial(string(id), token)
	c.say(`{"type":"cancel"}`)
	if l := c.answer(); l.Type != "cancel" || !strings.Contains(string(l.Data), `"delivered":"pending"`) {
		t.Errorf("%s %s", l.Type, l.Data)
	}
	if rec := w.store.copy(id); rec.CancelRequestedAt.IsZero() {
		t.Error("nobody was told to stop")
	}
	for _, nonsense := range []string{`{"type":"pause"}`, `no JSON`, `[]`} {
		c.say(nonsense)
		if l := c.answer(); l.Type != "problem" || !strings.Contains(string(l.Data), "must be") {
			t.Errorf("%s: %s %s", nonsense, l.Type, l.Data)
		}
	}
}

func TestAStreamTokenAloneDoesNotCancel(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	issued, _ := call[api.StreamToken](w, http.StatusOK, "POST", "/execute/stream-token/"+string(id), "")
	c := w.dial(string(id)+"?token="+issued.Token, "")
	c.say(`{"type":"cancel"}`)
	if l := c.answer(); l.Type != "problem" || !strings.Contains(string(l.Data), "unauthorized") {
		t.Errorf("%s %s", l.Type, l.Data)
	}
	if rec := w.store.copy(id); !rec.CancelRequestedAt.IsZero() {
		t.Fatal("a stream token has cancelled")
	}
	c.say(`{"type":"cancel","token":"` + token + `"}`)
	if l := c.answer(); l.Type != "cancel" {
		t.Errorf("%s %s", l.Type, l.Data)
	}
}

func TestADrainEndsWebSocketsWithACodeToComeBack(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	c := w.dial(string(id), token)
	c.next()
	w.srv.Drain()
	if got := c.rest(); !strings.HasSuffix(got, "StatusServiceRestart") {
		t.Errorf("ended by %s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.srv.Wait(ctx); err != nil {
		t.Error(err)
	}
}

func TestAWebSocketThatAnswersNoPingIsCut(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.KeepAlive, o.WriteTimeout = 20*time.Millisecond, 100*time.Millisecond })
	id := w.begin()
	c := w.dial(string(id), token) // reads nothing, so it answers nothing
	defer c.conn.CloseNow()
	w.waitServed("/execute/ws/" + string(id))
}

func TestAWebSocketThatTakesNothingIsCutAndLosesNothing(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.WriteTimeout = 2 * time.Second })
	id := w.begin()
	w.store.start(id)
	slow := w.dial(string(id), token)
	text := strings.Repeat("x", 256<<10)
	for range 64 { // 16 MiB: more than sockets hold
		w.store.log(id, execution.Stdout, text)
	}
	w.waitServed("/execute/ws/" + string(id))
	_ = slow.conn.CloseNow()
	w.store.finish(id)
	again := w.dial(string(id)+"?after=64", token)
	again.conn.SetReadLimit(-1)
	if got := again.rest(); got != "65:log 66:log 67:end StatusNormalClosure" {
		t.Errorf("then came %s", got)
	}
}
