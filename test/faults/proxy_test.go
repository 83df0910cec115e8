package faults

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between one process and Redis, and is the network's faults.
type proxy struct {
	addr, target string
	t            testing.TB

	mu       sync.Mutex // guards all below
	changed  *sync.Cond // holding or delay has changed, or a link was closed
	listener net.Listener
	links    map[*link]bool
	hold     [2]bool // per direction: nothing is forwarded
	delay    time.Duration
	drop     *dropRule
	closed   bool
	wg       sync.WaitGroup
}

// direction of bytes through the proxy.
type direction int

const (
	requests direction = iota // from the process to Redis
	replies
)

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	armed          bool // swallow what comes next from the server; guarded by the proxy's mutex
	gone           bool
}

// dropRule says which replies are lost.
type dropRule struct {
	request func([]byte) bool
	reply   func([]byte) bool
	left    int
	done    chan struct{} // closed when left is 0
}

// newProxy forwards to target until the test ends.
func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, addr: l.Addr().String(), target: target, listener: l, links: map[*link]bool{}}
	p.changed = sync.NewCond(&p.mu)
	p.wg.Go(func() { p.accept(l) })
	t.Cleanup(p.close)
	return p
}

func (p *proxy) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

// serve carries one connection. While it is black-holed not even the server
// hears of it: for the process the connection is there and dead.
func (p *proxy) serve(c net.Conn) {
	k := &link{client: c}
	p.mu.Lock()
	p.links[k] = true
	for p.hold[requests] && !k.gone && !p.closed {
		p.changed.Wait()
	}
	gone := k.gone || p.closed
	p.mu.Unlock()
	if !gone {
		s, err := net.DialTimeout("tcp", p.target, 2*time.Second)
		p.mu.Lock()
		if err != nil || k.gone || p.closed {
			gone = true
			if s != nil {
				_ = s.Close()
			}
		}
		k.server = s
		p.mu.Unlock()
	}
	if gone {
		p.cut(k)
		return
	}
	p.wg.Go(func() { p.copy(k, requests) })
	p.copy(k, replies)
}

// piece is what one read brought, and when it may go on.
type piece struct {
	data []byte
	due  time.Time
}

// copy forwards one direction. Reading and writing are apart, so that a delay
// delays and does not slow.
func (p *proxy) copy(k *link, d direction) {
	defer p.cut(k)
	from, to := k.client, k.server
	if d == replies {
		from, to = k.server, k.client
	}
	pieces := make(chan piece, 256)
	written := make(chan struct{})
	go func() {
		defer close(written)
		for x := range pieces {
			if wait := time.Until(x.due); wait > 0 {
				<-time.After(wait)
			}
			if _, err := to.Write(x.data); err != nil {
				p.cut(k)
			}
		}
	}()
	defer func() { close(pieces); <-written }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			due, ok := p.pass(k, d, buf[:n])
			if !ok {
				return
			}
			pieces <- piece{bytes.Clone(buf[:n]), due}
		}
		if err != nil {
			return
		}
	}
}

// pass waits while the direction is held, and decides what becomes of data.
func (p *proxy) pass(k *link, d direction, data []byte) (due time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.hold[d] && !k.gone {
		p.changed.Wait()
	}
	if k.gone {
		return time.Time{}, false
	}
	if r := p.drop; r != nil && r.left > 0 {
		switch {
		case d == requests && r.request(data):
			k.armed = true
		case d == replies && k.armed:
			k.armed = false
			if r.reply(data) {
				if r.left--; r.left == 0 {
					close(r.done)
				}
				return time.Time{}, false
			}
		}
	}
	return time.Now().Add(p.delay), true
}

// cut ends one connection.
func (p *proxy) cut(k *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutLocked(k)
}

func (p *proxy) cutLocked(k *link) {
	if k.gone {
		return
	}
	k.gone = true
	delete(p.links, k)
	_ = k.client.Close()
	if k.server != nil {
		_ = k.server.Close()
	}
	p.changed.Broadcast()
}

// Cut ends all connections; new ones are welcome.
func (p *proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.links {
		p.cutLocked(k)
	}
}

// Refuse ends all connections and refuses new ones until Heal.
func (p *proxy) Refuse() {
	p.mu.Lock()
	l := p.listener
	p.listener = nil
	p.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	p.Cut()
}

// BlackHole forwards nothing in either direction: connections stay, new ones
// are accepted, nothing is ever answered. What was sent meanwhile arrives after
// Heal, as it does after a partition.
func (p *proxy) BlackHole() { p.set(func() { p.hold = [2]bool{true, true} }) }

// HalfOpen forwards nothing in one direction.
func (p *proxy) HalfOpen(d direction) { p.set(func() { p.hold = [2]bool{}; p.hold[d] = true }) }

// Delay holds every byte up for d, in each direction.
func (p *proxy) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// DropReply forwards the next request that matches, swallows its reply if that
// matches too, and ends the connection: times times. The channel is closed when
// it has happened so often.
func (p *proxy) DropReply(times int, request, reply func([]byte) bool) <-chan struct{} {
	r := &dropRule{request: request, reply: reply, left: times, done: make(chan struct{})}
	p.set(func() { p.drop = r })
	return r.done
}

func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.changed.Broadcast()
}

// Heal ends every fault.
func (p *proxy) Heal() {
	p.set(func() { p.hold, p.delay, p.drop = [2]bool{}, 0, nil })
	p.mu.Lock()
	refusing := p.listener == nil && !p.closed
	p.mu.Unlock()
	if !refusing {
		return
	}
	// The port is an ephemeral one: an outgoing connection may hold it for a moment.
	for try := 0; ; try++ {
		l, err := net.Listen("tcp", p.addr)
		if err == nil {
			p.set(func() { p.listener = l })
			p.wg.Go(func() { p.accept(l) })
			return
		}
		if try == 500 {
			p.t.Errorf("listen on %s again: %v", p.addr, err)
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (p *proxy) close() {
	p.set(func() { p.closed, p.hold, p.delay = true, [2]bool{}, 0 })
	p.Refuse()
	p.wg.Wait()
}

func newEcho(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

// ask sends text through the proxy and gives what comes back within a moment.
func ask(c net.Conn, text string, within time.Duration) (string, error) {
	_ = c.SetDeadline(time.Now().Add(within))
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	buf := make([]byte, len(text))
	n, err := io.ReadFull(c, buf)
	return string(buf[:n]), err
}

func dial(t *testing.T, p *proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestTheProxyCausesEachFaultAndHeals(t *testing.T) {
	p := newProxy(t, newEcho(t))
	works := func(c net.Conn) {
		t.Helper()
		if got, err := ask(c, "hello", 2*time.Second); got != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	c := dial(t, p)
	works(c)

	p.Cut()
	if _, err := ask(c, "x", time.Second); err == nil {
		t.Error("a cut connection answers")
	}
	works(dial(t, p))

	p.Refuse()
	if c, err := net.Dial("tcp", p.addr); err == nil {
		_ = c.Close()
		t.Error("a connection was not refused")
	}
	p.Heal()
	c = dial(t, p)
	works(c)

	p.BlackHole()
	fresh := dial(t, p)
	for _, c := range []net.Conn{c, fresh} {
		if _, err := ask(c, "late", 50*time.Millisecond); !isTimeout(err) {
			t.Errorf("a black hole gave %v", err)
		}
	}
	p.Heal()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	buf := make([]byte, 4)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "late" {
		t.Errorf("what was sent into the hole came back as %q, %v", buf, err)
	}

	for _, d := range []direction{requests, replies} {
		p.HalfOpen(d)
		c := dial(t, p)
		if _, err := ask(c, "x", 50*time.Millisecond); !isTimeout(err) {
			t.Errorf("half open: %v", err)
		}
		p.Heal()
	}

	p.Delay(30 * time.Millisecond)
	begin := time.Now()
	works(dial(t, p))
	if d := time.Since(begin); d < 60*time.Millisecond {
		t.Errorf("delayed both ways and back in %v", d)
	}
	p.Heal()
}

func isTimeout(err error) bool {
	ne := net.Error(nil)
	return errors.As(err, &ne) && ne.Timeout()
}

func TestTheProxyLosesChosenReplies(t *testing.T) {
	p := newProxy(t, newEcho(t))
	lost := p.DropReply(2, containing("settle"), func([]byte) bool { return true })
	for range 2 {
		c := dial(t, p)
		if got, _ := ask(c, "append", time.Second); got != "append" {
			t.Fatalf("another request's reply was lost: %q", got)
		}
		if got, err := ask(c, "settle", time.Second); err == nil {
			t.Fatalf("the reply came: %q", got)
		}
	}
	<-lost
	if got, _ := ask(dial(t, p), "settle", time.Second); got != "settle" {
		t.Errorf("a third reply was lost too")
	}
}

// containing matches bytes that hold all of the texts.
func containing(texts ...string) func([]byte) bool {
	return func(b []byte) bool {
		for _, s := range texts {
			if !bytes.Contains(b, []byte(s)) {
				return false
			}
		}
		return true
	}
}
