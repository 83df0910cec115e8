package sdk

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cutter stands before the API and cuts answers in the middle: each stream after some hundred bytes, and
// one of three other answers within its first lines, but never three in a row: a client gives a call up in the end.
type cutter struct {
	addr, target  string
	streams, rest atomic.Int64 // how many were cut
	wg            sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns map[net.Conn]bool
	row   int // answers cut in a row
}

// longestHead is more than the head of any answer here.
const longestHead = 1000

func newCutter(t *testing.T, target string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{addr: l.Addr().String(), target: target, conns: map[net.Conn]bool{}}
	c.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.mu.Lock()
		for conn := range c.conns {
			_ = conn.Close()
		}
		c.mu.Unlock()
		c.wg.Wait()
	})
	return c
}

// serve carries one connection and closes it after what it lets through.
func (c *cutter) serve(client net.Conn) {
	defer c.forget(c.keep(client))
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer c.forget(c.keep(server))
	request := bufio.NewReader(client)
	first, head, err := readHead(request)
	if err != nil {
		return
	}
	if _, err := io.WriteString(server, head); err != nil {
		return
	}
	c.wg.Go(func() { _, _ = io.Copy(server, request) })
	stream := strings.HasPrefix(first, "GET /execute/stream/")
	through := int64(1 << 40)
	switch {
	case stream:
		through = 300 + rand.Int64N(3000)
	case !strings.HasPrefix(first, "OPTIONS ") && c.unlucky(): // a page asks that first, which would be cut twice as often
		through = rand.Int64N(400)
	}
	n, _ := io.CopyN(client, server, through)
	if n < through {
		return // it ended by itself
	}
	if stream {
		c.streams.Add(1)
		// A page drops what it has not read yet when its line breaks: cut at once, it would never get on.
		<-time.After(100 * time.Millisecond)
	} else {
		c.rest.Add(1)
	}
	// A reset, as of a line that is gone, or an end that looks like one on purpose; within a head only the
	// former, since Chromium takes a head that ends early for whole.
	if tcp, ok := client.(*net.TCPConn); ok && (n < longestHead || rand.IntN(2) == 0) {
		_ = tcp.SetLinger(0)
	}
}

// unlucky draws whether an answer that is no stream is cut.
func (c *cutter) unlucky() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.row < 2 && rand.IntN(3) == 0 {
		c.row++
		return true
	}
	c.row = 0
	return false
}

// readHead gives the first line of a request, and its whole head with one more
// header: a connection that a browser keeps would hide what comes later on it.
func readHead(r *bufio.Reader) (first, head string, err error) {
	for {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return "", "", err
		case line == "\r\n":
			return first, head + "Connection: close\r\n\r\n", nil
		case first == "":
			first = line
		}
		if !strings.HasPrefix(strings.ToLower(line), "connection:") {
			head += line
		}
	}
}

func (c *cutter) keep(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[conn] = true
	return conn
}

func (c *cutter) forget(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
	_ = conn.Close()
}
