package httpapi_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

// sseFrame is what a test sees of one frame; comments are frames of their own.
type sseFrame struct{ id, event, data, retry, comment string }

// sseReader reads frames from a response.
type sseReader struct {
	t *testing.T
	r *bufio.Reader
}

func streamOf(t *testing.T, res *http.Response) *sseReader {
	t.Helper()
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("no stream: %d %s", res.StatusCode, readAll(t, res))
	}
	return &sseReader{t, bufio.NewReader(res.Body)}
}

// next gives io.EOF at the end of the response.
func (s *sseReader) next() (f sseFrame, err error) {
	s.t.Helper()
	lines := 0
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			if line != "" {
				s.t.Errorf("the stream ended within a line: %q", line)
			}
			return f, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return f, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			f.id = value
		case "event":
			f.event = value
		case "data":
			if lines++; lines > 1 {
				f.data += "\n"
			}
			f.data += value
		case "retry":
			f.retry = value
		case "":
			f.comment = value
		}
	}
}

// rest gives all frames to the end of the response.
func (s *sseReader) rest() (frames []sseFrame) {
	s.t.Helper()
	for {
		f, err := s.next()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			s.t.Fatalf("after %d frames: %v", len(frames), err)
		}
		frames = append(frames, f)
	}
}

// shape is "retry" or "3:log" for each frame.
func shape(frames []sseFrame) string {
	var words []string
	for _, f := range frames {
		switch {
		case f.retry != "":
			words = append(words, "retry")
		case f.comment != "":
			words = append(words, f.comment)
		default:
			words = append(words, f.id+":"+f.event)
		}
	}
	return strings.Join(words, " ")
}

func TestAStreamReplaysFollowsAndEnds(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	res := w.do("GET", "/execute/stream/"+string(id), "")
	for name, want := range map[string]string{"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no", "Content-Encoding": ""} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	s := streamOf(t, res)
	if f, _ := s.next(); f.retry != "2000" {
		t.Errorf("first comes %+v", f)
	}
	if f, _ := s.next(); f.id != "1" || f.event != "status" {
		t.Errorf("then comes %+v", f)
	}
	w.store.start(id)
	w.store.log(id, execution.Stderr, "two\nlines\r\n")
	w.store.add(id, execution.Event{Type: "metrics", Data: []byte("{\n \"loss\": 0.5\r\n}")})
	w.store.finish(id)
	frames := s.rest()
	if got, want := shape(frames), "2:status 3:log 4:metrics 5:end"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if !strings.Contains(frames[1].data, `"stream":"stderr","text":"two\nlines\r\n"`) || frames[2].data != `{"loss":0.5}` {
		t.Errorf("data is %q and %q", frames[1].data, frames[2].data)
	}
}

func TestAClientThatHasSeenTheEndIsToldToStop(t *testing.T) {
	w := newWorld(t)
	id := w.run("x") // 4 events
	for after, want := range map[string]int{"3": 200, "4": 204, "5": 422, "end": 204, "$": 204} {
		if res := w.do("GET", "/execute/stream/"+string(id)+"?after="+url.QueryEscape(after), ""); res.StatusCode != want {
			t.Errorf("after=%s: %d, want %d", after, res.StatusCode, want)
		}
	}
}

func TestLastEventIDBeatsAfter(t *testing.T) {
	w := newWorld(t)
	id := w.run("x")
	for _, last := range []string{"2", string(id) + ":2"} {
		s := streamOf(t, w.do("GET", "/execute/stream/"+string(id)+"?after=0", "", "Last-Event-ID", last))
		if got := shape(s.rest()); got != "retry 3:log 4:end" {
			t.Errorf("Last-Event-ID %s: %s", last, got)
		}
	}
}

func TestAStreamOfWhatComesFromNowOn(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	for _, now := range []string{"end", "%24"} {
		s := streamOf(t, w.do("GET", "/execute/stream/"+string(id)+"?after="+now, ""))
		_, _ = s.next() // retry: the subscription stands
		w.store.log(id, execution.Stdout, "new")
		if f, err := s.next(); err != nil || !strings.Contains(f.data, "new") || f.event != "log" {
			t.Errorf("after=%s: %+v, %v", now, f, err)
		}
	}
}

func TestAStreamOfSomeTypesKeepsGapsAndTheEnd(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	w.store.log(id, execution.Stdout, "x")
	w.store.add(id, execution.GapEvent(4, 6, execution.GapNote{Reason: "budget"}))
	w.store.add(id, execution.Event{Type: execution.EventProgress, Data: []byte(`{"percent":50}`)})
	w.store.finish(id)
	s := streamOf(t, w.do("GET", "/execute/stream/"+string(id)+"?events=log", ""))
	if got := shape(s.rest()); got != "retry 3:log 6:gap 8:end" {
		t.Error(got)
	}
}

func TestASubscriptionSurvivesManyRotationsWithoutLoss(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.ResponseLimit = 20 * time.Millisecond })
	id := w.begin()
	w.store.start(id)
	const n = 200
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := range n {
			<-tick.C
			w.store.log(id, execution.Stdout, fmt.Sprint(i))
		}
		w.store.finish(id)
	}()
	last, responses := "0", 0
	for want := 1; ; responses++ {
		s := streamOf(t, w.do("GET", "/execute/stream/"+string(id), "", "Last-Event-ID", last))
		for _, f := range s.rest() {
			if f.id == "" {
				continue
			}
			if last = f.id; last != fmt.Sprint(want) {
				t.Fatalf("event %s came where %d should", last, want)
			}
			want++
			if f.event == "end" {
				if want != n+4 || responses < 3 {
					t.Errorf("%d events in %d responses", want-1, responses)
				}
				return
			}
		}
	}
}

func TestDrainEndsStreamsCleanlyWithAHint(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	s := streamOf(t, w.do("GET", "/execute/stream/"+string(id), ""))
	_, _ = s.next()
	_, _ = s.next()
	w.srv.Drain()
	if got := shape(s.rest()); got != "retry" {
		t.Errorf("the drained stream ended with %q", got)
	}
	late := streamOf(t, w.do("GET", "/execute/stream/"+string(id), ""))
	if got := shape(late.rest()); got != "retry retry" {
		t.Errorf("a stream that comes during the drain got %q", got)
	}
	ready, _ := call[api.Ready](w, 503, "GET", "/ready", "")
	if ready.Status != "draining" {
		t.Errorf("ready says %q", ready.Status)
	}
}

func TestASlowReaderIsCutByTheWriteDeadline(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.WriteTimeout = 100 * time.Millisecond })
	id := w.begin()
	w.store.start(id)
	const n = 128 // of 64 KiB: more than the kernel's buffers of a connection that nobody reads
	for range n {
		w.store.log(id, execution.Stdout, strings.Repeat("x", 64<<10))
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	path := "/execute/stream/" + string(id)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
	w.waitServed(path) // though nothing was read
	w.store.finish(id)
	last := execution.Cursor(0)
	s := &sseReader{t, bufio.NewReader(conn)} // chunk lines between the frames do no harm here
	for {
		f, err := s.r.ReadString('\n')
		if err != nil {
			break
		}
		if n, ok := strings.CutPrefix(f, "id: "); ok {
			_, _ = fmt.Sscan(n, &last)
		}
	}
	if last == 0 || last >= n {
		t.Fatalf("the reader got as far as %d", last)
	}
	// What it has not read is there for it.
	rest := streamOf(t, w.do("GET", path+fmt.Sprintf("?after=%d", last), "")).rest()
	if f := rest[1]; f.id != fmt.Sprint(last+1) || rest[len(rest)-1].event != "end" {
		t.Errorf("it goes on with %s", f.id)
	}
}

func TestAFailureMidStreamEndsItForAReconnect(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	s := streamOf(t, w.do("GET", "/execute/stream/"+string(id), ""))
	_, _ = s.next()
	_, _ = s.next()
	w.store.setFail(execution.Errorf(execution.NotFound, "retention is over"))
	if got := shape(s.rest()); got != "retry" {
		t.Errorf("ended with %q", got)
	}
}

func TestASlowBodyIsRefusedButDoesNotLimitTheStreamAfterIt(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) {
		o.BodyTimeout, o.KeepAlive = 100*time.Millisecond, 50*time.Millisecond
	})
	s := streamOf(t, w.do("POST", "/execute", `{"command":"python"}`))
	for alive := 0; alive < 5; { // 250 ms: long after the deadline of the body
		f, err := s.next()
		if err != nil {
			t.Fatalf("the stream ended after %d keep-alives: %v", alive, err)
		}
		if f.comment != "" {
			alive++
		}
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /execute/start HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 99\r\n\r\n{", token)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(t, res); res.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), "request_timeout") {
		t.Errorf("a slow body: %d %s", res.StatusCode, body)
	}
}
