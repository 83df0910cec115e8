package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// session is one run of this program: what was built for it, and where it writes.
type session struct {
	dir string    // removed at the end
	bin string    // api, worker, probe, and stamp where it could be compiled
	out io.Writer // what people read

	stamper string // the program that pickup starts
	arena   []byte // see memory

	mu      sync.Mutex // guards what is below
	serial  int
	running []*child
}

// newSession builds the binaries as they are shipped.
func newSession(ctx context.Context, out io.Writer) (*session, error) {
	dir, err := os.MkdirTemp("", "longhaul-bench-")
	if err != nil {
		return nil, err
	}
	s := &session{dir: dir, bin: filepath.Join(dir, "bin"), out: out}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w",
		"-o", s.bin+string(filepath.Separator), "./cmd/api", "./cmd/worker", "./bench/cmd/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("build the binaries (run this at the top of the repository): %w\n%s", err, text)
	}
	s.buildStamp(ctx)
	return s, nil
}

// close ends what is still running, last first, and removes all files.
func (s *session) close() {
	s.mu.Lock()
	left := s.running
	s.mu.Unlock()
	for i := len(left) - 1; i >= 0; i-- {
		left[i].stop()
	}
	_ = os.RemoveAll(s.dir)
}

// folder is a new one.
func (s *session) folder(name string) (string, error) {
	s.mu.Lock()
	s.serial++
	dir := filepath.Join(s.dir, strconv.Itoa(s.serial)+"-"+name)
	s.mu.Unlock()
	return dir, os.MkdirAll(dir, 0o700)
}

// child is a process that was started here, in a group of its own.
type child struct {
	s   *session
	cmd *exec.Cmd
	log string // its stdout and stderr

	once  sync.Once
	ended chan struct{} // closed when it was waited for
}

// spawn starts a process; what it prints goes to a file in dir.
func (s *session) spawn(dir string, env []string, name string, args ...string) (*child, error) {
	c := &child{s: s, cmd: exec.Command(name, args...), log: filepath.Join(dir, filepath.Base(name)+".log"), ended: make(chan struct{})}
	f, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = env, f, f
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = c.cmd.Wait() // how it ended shows in its log
		close(c.ended)
	}()
	s.mu.Lock()
	s.running = append(s.running, c)
	s.mu.Unlock()
	return c, nil
}

// spawnSelf starts this program again, with a command of its own.
func (s *session) spawnSelf(env []string, command string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := s.folder(command)
	if err != nil {
		return nil, err
	}
	return s.spawn(dir, env, self, append([]string{command}, args...)...)
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// signal reaches the whole group, and no stranger: the group is there until the child was waited for.
func (c *child) signal(sig syscall.Signal) error {
	select {
	case <-c.ended:
		return errors.New("it has ended: " + c.tail())
	default:
		return syscall.Kill(-c.pid(), sig)
	}
}

// stop asks it to end, and kills it when it does not within a moment.
func (c *child) stop() {
	c.once.Do(func() {
		_ = c.signal(syscall.SIGCONT)
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-c.ended:
		case <-time.After(10 * time.Second):
			_ = c.signal(syscall.SIGKILL)
			<-c.ended
		}
	})
}

// drain tells it to stop, as a deploy does, and lets it take its time.
func (c *child) drain() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	<-c.ended
}

// kill ends it as a crash does.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// tail is the end of what it printed.
func (c *child) tail() string {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// freePort is one that nobody listens on now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// pause waits, if the context lets it.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// until asks every so often, for some time at most, until it is so.
func until(ctx context.Context, most, every time.Duration, what string, so func() (bool, error)) error {
	end := time.Now().Add(most)
	for {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("after %v still not: %s", most, what)
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
}
