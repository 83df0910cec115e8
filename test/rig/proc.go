package rig

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/client"
)

// Proc is one running binary.
type Proc struct {
	T    testing.TB
	Name string
	URL  string          // of an API
	Done <-chan struct{} // closed when it has ended

	cmd *exec.Cmd
	mu  sync.Mutex
	log bytes.Buffer
}

// Start runs a binary until the test ends.
func (s *System) Start(name string, env ...string) *Proc {
	s.T.Helper()
	done := make(chan struct{})
	p := &Proc{T: s.T, Name: name, Done: done, cmd: exec.Command(filepath.Join(s.Bin, name))}
	p.cmd.Env = append(append([]string{}, s.Env...), env...)
	p.cmd.Dir = s.Dir
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		s.T.Fatalf("start %s: %v", name, err)
	}
	go func() { _ = p.cmd.Wait(); close(done) }()
	s.T.Cleanup(func() {
		p.Kill()
		if s.T.Failed() {
			log := p.Log()
			s.T.Logf("log of %s:\n%s", name, log[max(0, len(log)-8000):])
		}
	})
	return p
}

// Write takes what the process says.
func (p *Proc) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

// Log is what it has said so far.
func (p *Proc) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Logged says whether it has said that.
func (p *Proc) Logged(text string) bool { return strings.Contains(p.Log(), text) }

// MustLive ends the test when the process has ended by itself.
func (p *Proc) MustLive() {
	p.T.Helper()
	select {
	case <-p.Done:
		p.T.Fatalf("%s ended: %v", p.Name, p.cmd.ProcessState)
	default:
	}
}

// PID is the process's own.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Signal sends one.
func (p *Proc) Signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// Kill ends it with SIGKILL, and waits.
func (p *Proc) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.Done
}

// Stop sends SIGTERM and waits for the end, which must come in time and be clean.
func (p *Proc) Stop(within time.Duration) {
	p.T.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.Done:
	case <-time.After(within):
		p.T.Fatalf("%s did not stop within %v", p.Name, within)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.T.Errorf("%s exited with %d", p.Name, code)
	}
}

// Client talks to an API.
func (p *Proc) Client() *client.Client {
	p.T.Helper()
	c, err := client.New(p.URL, Token, client.Options{GiveUpAfter: 30 * time.Second})
	if err != nil {
		p.T.Fatal(err)
	}
	return c
}
