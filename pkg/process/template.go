package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Template is a launcher: a process that loads a program once and then forks, ahead of time, others that are ready to run it. docs/warm.md has
// what is spoken with it, and ADR 0011 why a slot's family looks like this:
//
//	worker ─► shim ─► template ──fork──► shim (subreaper) ──► the ready process, in a session of its own
//	  └────────────── SEQPACKET ────────►┘
//
// The second shim is the template's fork, which forked the ready process and then became this program: so the ready process is the shim's
// own child, and what proves that nothing of a tree is left is the same as for every other one.
//
// A template is a Process like any other, except that what it forked lives on when it exits, until it is terminated. Then all of it ends.
type Template struct {
	*Process
}

// markRoom is how long the id of an execution may be that a Ready takes over: so much its template leaves for it, see [Template].
const markRoom = 96

// StartTemplate starts a launcher and sends it its task; c.ExecutionID is its name. Its fd 3 is the socket that docs/warm.md speaks of.
func (p *Pool) StartTemplate(ctx context.Context, c Command, task []byte) (*Template, error) {
	// What is forked and not executed shows its template's environment in /proc. So the template has room there for
	// the id of an execution, and the ready process writes it when it is given one: a lost shim's sweep finds it by that.
	name := c.ExecutionID + strings.Repeat(".", max(0, markRoom-len(c.ExecutionID)))
	c.Env = append(append([]string(nil), c.Env...), envExecutionID+"="+name)
	c.ExecutionID, c.template = name, true
	process, err := p.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := sendWith(process.Events(), task, nil); err != nil {
		process.Terminate(0)
		<-process.Gone()
		process.pipes.close()
		return nil, fmt.Errorf("send the task to a launcher: %w", err)
	}
	return &Template{process}, nil
}

// RefusedError is why a template will not fork: what was imported does not allow it.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return e.Why }

// Loaded waits until the template is ready to fork. A RefusedError has the launcher's own words.
func (t *Template) Loaded(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = t.Events().SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	message := make([]byte, 16<<10)
	n, err := t.Events().Read(message)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) {
		return &RefusedError{"the launcher exited before it was ready"}
	}
	if err != nil {
		return err
	}
	var said struct {
		Ready   bool   `json:"ready"`
		Refused string `json:"refused"`
	}
	if err := json.Unmarshal(message[:n], &said); err != nil || !said.Ready && said.Refused == "" {
		return &RefusedError{fmt.Sprintf("the launcher said neither ready nor refused: %.100q", message[:n])}
	}
	if !said.Ready {
		return &RefusedError{said.Refused}
	}
	return nil
}

// Retire lets the template itself exit. What it forked lives on.
func (t *Template) Retire() { _ = t.Events().Close() }

// Ready is one process that waits for its execution, with the shim that will watch it.
type Ready struct {
	shim *shim
	pid  int
}

// errNotReady says that nothing ran.
var errNotReady = errors.New("the process that was ready has died")

// Fork makes a Ready whose process will be one of pool's; it takes no slot until it is used.
func (t *Template) Fork(ctx context.Context, pool *Pool) (*Ready, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	program, err := os.Open(selfExe)
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	defer program.Close()
	own, _ := os.ReadFile("/proc/self/oom_score_adj")
	message := strings.Join([]string{
		"fork", shimName, envShim + "=" + strconv.Itoa(os.Getpid()), "GOMAXPROCS=1", envOOM + "=" + strings.TrimSpace(string(own)),
	}, "\x00")
	err = sendWith(t.Events(), []byte(message), []int{int(theirs.Fd()), int(program.Fd()), int(os.Stderr.Fd())})
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	_ = theirs.Close() // or its end would never be heard
	stop := context.AfterFunc(ctx, func() { _ = ours.SetReadDeadline(time.Unix(1, 0)) })
	r, err := hello(ours)
	if !stop() && err == nil {
		r.shim.discard()
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("fork of a template: %w", err)
	}
	if err := pool.adopt(r.shim); err != nil {
		return nil, err
	}
	return r, nil
}

// hello reads what a forked shim says when its engine is ready.
func hello(socket *os.File) (*Ready, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	message, rights := make([]byte, 64), make([]byte, unix.CmsgSpace(4))
	var n, nrights int
	var inner error
	err = raw.Read(func(fd uintptr) bool {
		n, nrights, _, _, inner = unix.Recvmsg(int(fd), message, rights, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		return inner != unix.EAGAIN && inner != unix.EINTR
	})
	if err = errors.Join(err, inner); err != nil {
		return nil, err
	}
	fds := descriptors(rights[:nrights])
	var pid, engine int64
	if n > 0 && message[0] == msgReady && len(fds) == 1 {
		if _, err := decode(message[1:n], &pid, &engine); err == nil {
			s := &shim{os: &foreignProcess{pid: int(pid), pidfd: fds[0]}, socket: socket, once: true, dead: make(chan struct{})}
			return &Ready{shim: s, pid: int(engine)}, nil
		}
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	if n == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return nil, errMalformed
}

// adopt makes a forked shim one of the pool's.
func (p *Pool) adopt(s *shim) error {
	s.pool = p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		s.discard()
		return ErrClosed
	}
	p.shims[s] = struct{}{}
	go s.run()
	return nil
}

// PID is the process that waits.
func (r *Ready) PID() int { return r.pid }

// Gone is closed when it, or what became of it, is gone with its shim: at the latest when all of its template is.
func (r *Ready) Gone() <-chan struct{} { return r.shim.dead }

// Discard ends it unused.
func (r *Ready) Discard() { r.shim.retire() }

// fits tells whether it can take over an id as long as the command's.
func (r *Ready) fits(c *Command) bool { return len(c.ExecutionID) <= markRoom }
