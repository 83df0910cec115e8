package main

import (
	"io"
	"net"
	"net/url"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// cuttable is a TCP proxy before the server, whose connections can be cut.
type cuttable struct {
	mu    sync.Mutex // guards all
	conns []net.Conn
	down  bool
}

var proxies sync.Map // of *cuttable by *testscript.TestScript

// proxy puts a line of its own between a script and the server.
func proxy(ts *testscript.TestScript, _ bool, _ []string) {
	server, err := url.Parse(ts.Getenv("LONGHAUL_URL"))
	ts.Check(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	p := &cuttable{}
	proxies.Store(ts, p)
	var all sync.WaitGroup
	ts.Defer(func() { _ = l.Close(); p.cut(true); all.Wait() })
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server.Host)
			if err != nil || !p.add(in, out) {
				_ = in.Close()
				continue
			}
			all.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
			all.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
		}
	})
	ts.Setenv("LONGHAUL_URL", "http://"+l.Addr().String())
}

// cut breaks all connections off: "cut" once, "cut down" until "cut up".
func cut(ts *testscript.TestScript, _ bool, args []string) {
	newest(ts)
	p, _ := proxies.Load(ts)
	p.(*cuttable).cut(len(args) == 1 && args[0] == "down")
}

func (p *cuttable) add(in, out net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		_ = out.Close()
		return false
	}
	p.conns = append(p.conns, in, out)
	return true
}

func (p *cuttable) cut(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns, p.down = nil, down
}

func (p *cuttable) connected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) > 0
}
