package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
	"github.com/longhaul/longhaul/pkg/hub"
)

// ask sends a request for a stream over a connection of its own and leaves the
// answer to the test.
func (w *world) ask(query, protocol string, headers ...string) *net.TCPConn {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	head := "GET /execute/stream/" + query + " " + protocol + "\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n"
	if len(headers) > 0 {
		head += strings.Join(headers, "\r\n") + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		w.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// answer reads the head, and gives the frames.
func (w *world) answer(conn net.Conn) (*http.Response, *sseReader) {
	w.t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, streamOf(w.t, res)
}

// subscribers waits until so many follow.
func (w *world) subscribers(want int) {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for w.hub.Stats().Subscribers != want {
		select {
		case <-deadline:
			w.t.Fatalf("%d follow, want %d", w.hub.Stats().Subscribers, want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAStreamOfHTTP11HasItsHeadersAndEndsItsChunks(t *testing.T) {
	type answered struct {
		route  string
		status int
	}
	observed := make(chan answered, 10)
	w := newWorld(t, func(o *httpapi.Options) {
		o.CORSOrigins = []string{"https://pages.example"}
		o.Observe = func(route, _ string, status int, _ time.Duration) { observed <- answered{route, status} }
	})
	id := w.begin()
	w.store.start(id)
	<-observed // the start
	conn := w.ask(string(id), "HTTP/1.1", "Origin: https://pages.example", "Accept-Encoding: gzip", "X-Request-Id: mine")
	res, s := w.answer(conn)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://pages.example", "X-Request-Id": "mine", "Content-Encoding": "",
		"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if len(res.TransferEncoding) != 1 || res.TransferEncoding[0] != "chunked" || !res.Close || res.Header.Get("Date") == "" {
		t.Errorf("%v, close %v, date %q", res.TransferEncoding, res.Close, res.Header.Get("Date"))
	}
	select {
	case o := <-observed:
		t.Errorf("told as answered while it runs: %+v", o)
	default:
	}
	w.store.log(id, execution.Stdout, "x")
	w.store.finish(id)
	if got := shape(s.rest()); got != "retry 1:status 2:status 3:log 4:end" {
		t.Error(got)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the last chunk: %d, %v", n, err)
	}
	if o := <-observed; o != (answered{"/execute/stream/:id", 200}) {
		t.Errorf("told as %+v", o)
	}
}

func TestClientsOfOtherProtocolsGetTheSameStream(t *testing.T) {
	w := newWorld(t)
	id := w.run("x")
	res, s := w.answer(w.ask(string(id), "HTTP/1.0"))
	if got := shape(s.rest()); got != "retry 1:status 2:status 3:log 4:end" || len(res.TransferEncoding) != 0 {
		t.Errorf("HTTP/1.0: %s, %v", got, res.TransferEncoding)
	}

	ts := httptest.NewUnstartedServer(w.srv)
	ts.Config.Protocols = &http.Protocols{}
	ts.Config.Protocols.SetUnencryptedHTTP2(true)
	ts.Start()
	defer ts.Close()
	transport := &http.Transport{Protocols: ts.Config.Protocols}
	defer transport.CloseIdleConnections()
	live := w.begin()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, ts.URL+"/execute/stream/"+string(live), nil)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	s = streamOf(t, res)
	_, _ = s.next()
	w.store.start(live)
	w.store.log(live, execution.Stdout, "x")
	w.store.finish(live)
	if got := shape(s.rest()); got != "1:status 2:status 3:log 4:end" || res.ProtoMajor != 2 || res.Header.Get("Connection") != "" {
		t.Errorf("HTTP/%d: %s", res.ProtoMajor, got)
	}
}

func TestAClientThatGoesInSilenceIsNoticed(t *testing.T) {
	w := newWorld(t) // with a keep-alive each minute: no write tells
	id := w.begin()
	var conns []*net.TCPConn
	for range 3 {
		conn := w.ask(string(id), "HTTP/1.1")
		_, s := w.answer(conn)
		_, _ = s.next()
		conns = append(conns, conn)
	}
	w.subscribers(3)
	_ = conns[0].Close()
	w.subscribers(2)
	_ = conns[1].CloseWrite() // net/http takes that for going, too
	w.subscribers(1)
	_ = conns[2].SetLinger(0) // a reset
	_ = conns[2].Close()
	w.subscribers(0)
	for range 3 {
		w.waitServed("/execute/stream/" + string(id))
	}
}

func TestASilentDirectStreamIsKeptAlive(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.KeepAlive = 50 * time.Millisecond })
	id := w.begin()
	_, s := w.answer(w.ask(string(id)+"?events=end", "HTTP/1.1"))
	for alive := 0; alive < 4; {
		f, err := s.next()
		if err != nil {
			t.Fatalf("it ended after %d keep-alives: %v", alive, err)
		}
		if f.comment != "" {
			alive++
			w.store.add(id, execution.Event{Type: execution.EventProgress, Data: []byte(`{"percent":50}`)}) // filtered out
		}
	}
}

func TestManyFollowersGetEveryEventInOrder(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	const followers, n = 300, 300
	before := runtime.NumGoroutine()
	conns := make([]*net.TCPConn, followers)
	for i := range conns {
		query := string(id)
		switch i % 3 {
		case 1:
			query += "?events=log"
		case 2:
			query += "?after=2"
		}
		conns[i] = w.ask(query, "HTTP/1.1")
	}
	w.subscribers(followers)
	deadline := time.Now().Add(20 * time.Second)
	for runtime.NumGoroutine() > before+20 { // what net/http had for each ends
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines for %d streams with nothing to do", runtime.NumGoroutine()-before, followers)
		}
		runtime.Gosched()
	}
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := range n {
			<-tick.C
			w.store.log(id, execution.Stdout, fmt.Sprint("line ", i))
		}
		w.store.finish(id)
	}()
	var all sync.WaitGroup
	for i, conn := range conns {
		all.Go(func() {
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Error(err)
				return
			}
			s := &sseReader{t, bufio.NewReader(res.Body)}
			want, logs := 1, 0
			if i%3 != 0 {
				want = 3
			}
			for {
				f, err := s.next()
				if err != nil {
					break
				}
				if f.id == "" {
					continue
				}
				if f.id != fmt.Sprint(want) {
					t.Errorf("follower %d got event %s where %d should come", i, f.id, want)
					return
				}
				want++
				if f.event == "log" && strings.Contains(f.data, fmt.Sprintf(`"line %d"`, logs)) {
					logs++
				}
			}
			if logs != n || want != n+4 {
				t.Errorf("follower %d got %d lines and stood before event %d at the end", i, logs, want)
			}
		})
	}
	all.Wait()
}

func TestASlowReaderThatReadsOnGetsEverything(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.WriteTimeout = time.Minute })
	id := w.begin()
	w.store.start(id)
	conn := w.ask(string(id), "HTTP/1.1")
	w.subscribers(1)
	const n = 200
	for i := range n { // 12.5 MiB: more than sockets and ring hold
		w.store.log(id, execution.Stdout, fmt.Sprintf("%06d%s", i, strings.Repeat("x", 64<<10-6)))
	}
	w.store.finish(id)
	_, s := w.answer(conn)
	got := 0
	for _, f := range s.rest() {
		if f.event == "log" {
			if !strings.Contains(f.data, fmt.Sprintf(`"text":"%06d`, got)) {
				t.Fatalf("chunk %d is %.60s", got, f.data)
			}
			got++
		}
	}
	if got != n {
		t.Errorf("%d chunks", got)
	}
}

func TestWhatAClientSaysUnaskedDoesNotSpoilTheEnd(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	conn := w.ask(string(id), "HTTP/1.1")
	_, s := w.answer(conn)
	_, _ = s.next()
	if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	w.store.finish(id)
	frames := s.rest()
	if got := shape(frames); !strings.HasSuffix(got, ":end") {
		t.Error(got)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestADefectInOneStreamEndsNoOther(t *testing.T) {
	var defect atomic.Bool
	w := newWorld(t, func(o *httpapi.Options) {
		o.Now = func() time.Time {
			if defect.CompareAndSwap(true, false) {
				panic("a defect")
			}
			return time.Now()
		}
	})
	id, other := w.begin(), w.begin()
	_, broken := w.answer(w.ask(string(id), "HTTP/1.1"))
	_, whole := w.answer(w.ask(string(other), "HTTP/1.1"))
	for _, s := range []*sseReader{broken, whole} {
		for range 2 { // the hint and the first event
			if _, err := s.next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.subscribers(2)
	defect.Store(true)
	w.store.start(id)
	if f, err := broken.next(); err == nil || errors.Is(err, io.EOF) { // a client must not take it for the end
		t.Errorf("after the defect: %+v, %v", f, err)
	}
	w.waitServed("/execute/stream/" + string(id))
	w.store.start(other)
	w.store.finish(other)
	if got := shape(whole.rest()); got != "2:status 3:end" {
		t.Error(got)
	}
}

func TestDrainEndsManyStreamsOnAFrameBoundary(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	conns := make([]*net.TCPConn, 100)
	for i := range conns {
		conns[i] = w.ask(string(id), "HTTP/1.1")
	}
	w.subscribers(len(conns))
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() { // in the midst of work
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				w.store.log(id, execution.Stdout, strings.Repeat("x", 1000))
			}
		}
	})
	_, first := w.answer(conns[0])
	for range 20 {
		_, _ = first.next()
	}
	w.srv.Drain()
	if err := w.srv.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(stop)
	writer.Wait()
	for i, conn := range conns {
		s := first
		if i > 0 {
			_, s = w.answer(conn)
		}
		var last sseFrame
		for {
			f, err := s.next()
			if errors.Is(err, io.EOF) { // which http gives only after the last chunk
				break
			}
			if err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
			last = f
		}
		if last.retry == "" || last.id != "" {
			t.Errorf("stream %d ended with %+v", i, last)
		}
	}
}

// stuckConn takes the head of an answer and nothing more. It is no connection of
// the kernel's either, so nothing can be written to it without waiting.
type stuckConn struct {
	net.Conn
	head   sync.Once
	stuck  chan struct{} // closed when a second write has come
	once   sync.Once
	closed chan struct{}
	end    sync.Once
}

func (c *stuckConn) Write(b []byte) (n int, err error) {
	first := false
	c.head.Do(func() { first = true })
	if first {
		return c.Conn.Write(b)
	}
	c.once.Do(func() { close(c.stuck) })
	<-c.closed
	return 0, net.ErrClosed
}

func (c *stuckConn) Close() error {
	c.end.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

type stuckListener struct {
	net.Listener
	conns chan *stuckConn
}

func (l *stuckListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &stuckConn{Conn: conn, stuck: make(chan struct{}), closed: make(chan struct{})}
	l.conns <- c
	return c, nil
}

func TestAStreamThatTakesNothingIsCutAtTheEndOfTheDrain(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	ts := httptest.NewUnstartedServer(w.srv)
	l := &stuckListener{ts.Listener, make(chan *stuckConn, 1)}
	ts.Listener = l
	ts.Start()
	defer ts.Close()
	w.url = ts.URL
	w.ask(string(id), "HTTP/1.1")
	<-(<-l.conns).stuck
	w.srv.Drain()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.srv.Wait(ctx); err == nil {
		t.Error("it was not waited for")
	}
	w.subscribers(0)
	w.waitServed("/execute/stream/" + string(id))
}

// river is the log of an engine that has written much, of which it keeps nothing.
type river struct{ chunks execution.Cursor }

func (r river) Listen(execution.ID) (<-chan struct{}, func()) { return nil, func() {} }

func (r river) Read(_ context.Context, _ execution.ID, after execution.Cursor, maxBytes int) (events []execution.Event, _ error) {
	for size := 0; size < maxBytes && after < r.chunks; size += 64 << 10 {
		after++
		e := execution.Event{Seq: after, Type: execution.EventLog, Stream: execution.Stdout, Bytes: bytes.Repeat([]byte{'a' + byte(after%26)}, 64<<10)}
		if after == r.chunks {
			e = execution.Event{Seq: after, Type: execution.EventEnd, Data: []byte(`{}`)}
		}
		events = append(events, e)
	}
	return events, nil
}

// liveHeap is what the last collection found in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestALargeLogTakesNoMemoryForWhoReadsItNorForWhoDoesNot(t *testing.T) {
	const (
		size  = 192 << 20
		stuck = 50
		limit = 48 << 20 // of which 16 MiB are the budget for those behind the ring
	)
	source := river{chunks: size / (64 << 10)}
	h := hub.New(source, source, hub.Options{Encode: httpapi.EncodeSSE})
	defer h.Close(context.WithoutCancel(t.Context()))
	w := newWorld(t, func(o *httpapi.Options) { o.Hub, o.WriteTimeout = h, time.Hour })
	id := w.begin()
	runtime.GC()
	before := liveHeap()
	for range stuck {
		w.ask(string(id), "HTTP/1.1") // and never reads
	}
	res, err := http.ReadResponse(bufio.NewReader(w.ask(string(id), "HTTP/1.1")), nil)
	if err != nil {
		t.Fatal(err)
	}
	most, read := uint64(0), 0
	for buf := make([]byte, 64<<10); ; {
		n, err := res.Body.Read(buf)
		read += n
		most = max(most, liveHeap())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < size-(64<<10) {
		t.Errorf("read %d bytes of a log of %d", read, size)
	}
	if grown := int64(most) - int64(before); grown > limit {
		t.Errorf("the heap in use grew by %d MiB while %d MiB were read and %d clients read nothing", grown>>20, size>>20, stuck)
	} else {
		t.Logf("the heap in use grew by %.1f MiB at most", float64(grown)/(1<<20))
	}
}
