package faults

import (
	"bytes"
	"cmp"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/longhaul/longhaul/pkg/redistest"
)

// proc is one replica: it may be started any number of times, always with the
// same name, port and proxy.
type proc struct {
	s     *system
	kind  string // api or worker
	path  string // the binary
	name  string
	url   string // of an API; of a worker, of its probes
	proxy *proxy
	env   []string
	log   string // path

	mu   sync.Mutex // guards below
	cmd  *exec.Cmd
	done chan struct{}
	from int // where the log of this start begins
}

func (s *system) newProc(kind, name string) *proc {
	p := &proc{s: s, kind: kind, path: filepath.Join(bin, kind), name: name, proxy: newProxy(s.t, s.redis.Addr), log: filepath.Join(s.dir, "logs", name)}
	p.env = append(p.env, s.env...)
	p.env = append(p.env, "REDIS_URL="+cmp.Or(s.url, "redis://"+p.proxy.addr+"/0"), "WORKER_NAME="+name, "WORKDIR="+filepath.Join(s.dir, "work", name))
	if kind == "api" {
		p.listens("PORT")
	}
	s.t.Cleanup(func() {
		p.kill()
		if s.t.Failed() {
			s.t.Logf("the end of the log of %s:\n%s", name, tail(p.read(), 6000))
		}
	})
	return p
}

// listens gives it a port. A worker has none but in the tests of its probes.
func (p *proc) listens(setting string) {
	port := strconv.Itoa(redistest.FreePort(p.s.t))
	p.env = append(p.env, setting+"="+port)
	p.url = "http://127.0.0.1:" + port
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// start runs the binary. It need not be ready when start returns.
func (p *proc) start(env ...string) {
	p.s.t.Helper()
	out, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.s.t.Fatal(err)
	}
	defer out.Close()
	from := len(p.read())
	cmd := exec.Command(p.path)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(append([]string{}, p.env...), env...), p.s.dir, out, out
	if err := cmd.Start(); err != nil {
		p.s.t.Fatalf("start %s: %v", p.name, err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.done, p.from = cmd, done, from
}

// awaitStarted waits until an API listens, or a worker takes tasks.
func (p *proc) awaitStarted() {
	p.s.t.Helper()
	p.s.eventually(p.name+" has started", time.Minute, func() bool {
		p.mustLive()
		if p.kind == "worker" {
			return p.logged(`"worker started"`)
		}
		res, err := http.Get(p.url + "/health")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// logged says whether the log of the newest start has the text.
func (p *proc) logged(text string) bool {
	p.mu.Lock()
	from := p.from
	p.mu.Unlock()
	return strings.Contains(p.read()[from:], text)
}

func (p *proc) read() string {
	b, err := os.ReadFile(p.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.s.t.Error(err)
	}
	return string(b)
}

func (p *proc) current() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd, p.done
}

func (p *proc) mustLive() {
	p.s.t.Helper()
	cmd, done := p.current()
	select {
	case <-done:
		p.s.t.Fatalf("%s ended: %v", p.name, cmd.ProcessState)
	default:
	}
}

func (p *proc) signal(sig syscall.Signal) {
	if cmd, _ := p.current(); cmd != nil {
		_ = cmd.Process.Signal(sig)
	}
}

// kill is SIGKILL, and waits.
func (p *proc) kill() {
	if cmd, done := p.current(); cmd != nil {
		_ = cmd.Process.Kill()
		<-done
	}
}

// term is SIGTERM; the end must come within the time and be clean.
func (p *proc) term(within time.Duration) {
	p.s.t.Helper()
	cmd, done := p.current()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(within):
		p.s.t.Errorf("%s did not stop within %v", p.name, within)
		p.kill()
		return
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		p.s.t.Errorf("%s exited with %d", p.name, code)
	}
}

// restart starts it again and waits until it is ready.
func (p *proc) restart() {
	p.s.t.Helper()
	p.start()
	p.awaitStarted()
}

// balancer sends each request to the next replica, and on where nobody listens.
func (s *system) balancer() *http.Client {
	return &http.Client{Transport: &balancer{s: s, base: &http.Transport{
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, MaxIdleConnsPerHost: 16, ResponseHeaderTimeout: 90 * time.Second,
	}}}
}

type balancer struct {
	s    *system
	next atomic.Uint32
	base *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (b *balancer) RoundTrip(req *http.Request) (res *http.Response, err error) {
	first := int(b.next.Add(1))
	for i := range b.s.apis {
		to := req.Clone(req.Context())
		to.URL.Host = strings.TrimPrefix(b.s.apis[(first+i)%len(b.s.apis)].url, "http://")
		if req.GetBody != nil {
			if to.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
		res, err = b.base.RoundTrip(to)
		var oe *net.OpError
		if err == nil || !errors.As(err, &oe) || oe.Op != "dial" {
			return res, err
		}
	}
	return nil, err
}

// parentOf is the process that started pid: an engine's shim.
func parentOf(pid int) int {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	parent, _ := strconv.Atoi(fields[1])
	return parent
}
