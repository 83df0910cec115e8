package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"

	"github.com/coder/websocket"
)

const events = "retry: 1000\n\n: keep-alive\n\nid: 1\nevent: status\ndata: {\"a\":1}\n\n" +
	"data: one\ndata: two\n\nid: 7\nevent: end\ndata:\n\n"

func TestFramesAreTheSameHoweverTheStreamIsCut(t *testing.T) {
	for _, from := range []io.Reader{bytes.NewReader([]byte(events)), iotest.OneByteReader(bytes.NewReader([]byte(events))), iotest.DataErrReader(bytes.NewReader([]byte(events)))} {
		f := NewFrames(from)
		for _, want := range []Frame{
			{[]byte("1"), []byte("status"), []byte(`{"a":1}`)},
			{nil, nil, []byte("one\ntwo")},
			{[]byte("7"), []byte("end"), []byte{}},
		} {
			got, err := f.Next()
			if err != nil || string(got.ID) != string(want.ID) || string(got.Event) != string(want.Event) || string(got.Data) != string(want.Data) {
				t.Fatalf("%q, %v; want %q", got, err, want)
			}
		}
		if got, err := f.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the end %q, %v", got, err)
		}
	}
}

func TestAFrameThatWasCutOffIsNoFrame(t *testing.T) {
	f := NewFrames(bytes.NewReader([]byte(events[:len(events)-1])))
	for range 2 {
		if _, err := f.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestAnAnswerThatIsNot2xxIsAnError(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"x":1}` || r.Header.Get("Authorization") != "Bearer y" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		fmt.Fprint(w, "well")
	}))
	defer s.Close()
	for body, ok := range map[string]bool{`{"x":1}`: true, `{}`: false} {
		r, err := NewRequest(http.MethodPost, s.URL+"/a?b=c", http.Header{"Authorization": {"Bearer y"}}, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		c, err := Dial(r)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // on one connection
			got, err := c.Do(r)
			if (err == nil) != ok || ok && string(got) != "well" {
				t.Errorf("%s: %q, %v", body, got, err)
			}
		}
		c.Close()
	}
}

// A server of messages of all three kinds of lengths, that pings and closes.
func TestASocketGivesThePayloadsAndAnswersPings(t *testing.T) {
	var want []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		c.CloseRead(r.Context()) // reads the pong
		for _, n := range []int{5, 1000, 100_000} {
			if err := c.Write(r.Context(), websocket.MessageText, bytes.Repeat([]byte{'a'}, n)); err != nil {
				t.Error(err)
			}
			if err := c.Ping(r.Context()); err != nil {
				t.Errorf("ping: %v", err)
			}
		}
		_ = c.Close(1012, "again")
	}))
	defer s.Close()
	want = bytes.Repeat([]byte{'a'}, 101_005)
	c, err := OpenSocket(s.URL, http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) || c.ClosedWith != 1012 {
		t.Errorf("%d bytes, closed with %d, %v", len(got), c.ClosedWith, err)
	}
}

// serve sends n copies of a piece over a loopback connection.
func serve(b *testing.B, head string, piece []byte, n int) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, head)
			for range n {
				_, _ = c.Write(piece)
			}
			_ = c.Close()
		}
	}()
	return l
}

// bare is a socket as a Source.
type bare struct{ net.Conn }

func (b bare) Close() { _ = b.Conn.Close() }

// What the measuring clients cost, against a bare socket that is read until its end.
func BenchmarkReading(b *testing.B) {
	frame := []byte("id: 123\nevent: log\ndata: {\"stream\":\"stdout\",\"text\":\"ts=1763788800123456789 n=1\\n\",\"attempt\":1}\n\n")
	block := bytes.Repeat(frame, 300)
	const blocks = 1000
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(block), block)
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	message := append(binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(block))), block...)
	const upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
	buf := make([]byte, 64<<10)
	drain := func(b *testing.B, r io.Reader) {
		for {
			if _, err := r.Read(buf); err != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		name string
		head string
		send []byte
		open func(addr string) (Source, error)
	}{
		{"bare socket", head, chunk, func(addr string) (Source, error) {
			c, err := net.Dial("tcp", addr)
			return bare{c}, err
		}},
		{"stream", head, chunk, func(addr string) (Source, error) {
			r, err := NewRequest(http.MethodGet, "http://"+addr, nil, nil)
			if err != nil {
				return nil, err
			}
			return OpenStream(r)
		}},
		{"socket", upgraded, message, func(addr string) (Source, error) { return OpenSocket("http://"+addr, http.Header{}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := serve(b, c.head, c.send, blocks)
			defer l.Close()
			b.SetBytes(int64(len(block) * blocks))
			for b.Loop() {
				r, err := c.open(l.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				drain(b, r)
				r.Close()
			}
		})
	}
}
