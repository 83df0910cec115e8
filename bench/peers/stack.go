package peers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Stack is a peer that runs. Every process of it, children of jobs included, has the
// mark in its environment: some peers give their children groups of their own, and
// these are found by nothing else once their parent is gone.
type Stack struct {
	URL     string
	Version string        // of the tools below it
	Ready   time.Duration // from the start of its processes to the API's first answer, to 10 ms

	mark     string
	inMemory bool
	client   *http.Client
	output   tail
	release  func() bool // of the watch on the context
	once     sync.Once

	mu      sync.Mutex // guards the rest
	procs   []*proc
	stopped bool
}

type proc struct {
	cmd    *exec.Cmd
	worker bool
	gone   chan struct{} // closed when it has been waited for
}

// markName is the environment variable of the mark, with the part after it.
const markName = "LONGHAUL_PEER="

// run starts a process in a group of its own.
func (s *Stack) run(p program, at *site) error {
	part := "-api"
	if p.worker {
		part = "-worker"
	}
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Dir = at.Dir
	cmd.Stdout, cmd.Stderr = &s.output, &s.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // an orphan may hold the pipe
	cmd.Env = append(os.Environ(), "PORT="+at.port, "REDIS_URL="+at.RedisURL, "PEER_DIR="+at.Dir,
		"CONCURRENCY="+strconv.Itoa(at.Concurrency), markName+s.mark+part)
	cmd.Env = append(cmd.Env, p.env...)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("stopped while it started")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	started := &proc{cmd: cmd, worker: p.worker, gone: make(chan struct{})}
	s.procs = append(s.procs, started)
	go func() {
		_ = cmd.Wait() // ProcessState says how it ended
		close(started.gone)
	}()
	return nil
}

// API is the root process of the API.
func (s *Stack) API() []int { return s.roots(false) }

// Workers are the root processes of the workers; none where the API runs the jobs.
func (s *Stack) Workers() []int { return s.roots(true) }

func (s *Stack) roots(worker bool) (pids []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.procs {
		if p.worker == worker {
			pids = append(pids, p.cmd.Process.Pid)
		}
	}
	return pids
}

// dead is the end of a process that should not have ended.
func (s *Stack) dead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.procs {
		select {
		case <-p.gone:
			return fmt.Errorf("%s has ended (%v)", strings.Join(p.cmd.Args, " "), p.cmd.ProcessState)
		default:
		}
	}
	return nil
}

// StopWorkers stops the processes of the workers until ContinueWorkers, and tells an
// in-memory peer to start nothing. A job that a worker's blocking pop already waits
// for may leave the queue meanwhile; it runs when the worker continues.
func (s *Stack) StopWorkers() error {
	if s.inMemory {
		return s.tell("/pause")
	}
	seen := map[int]bool{}
	return within(5*time.Second, "the workers did not stop", func() bool {
		all := true
		for _, pid := range s.marked("-worker") {
			if group, err := syscall.Getpgid(pid); err == nil && !seen[group] {
				seen[group] = syscall.Kill(-group, syscall.SIGSTOP) == nil
				all = false
			}
			state := state(pid)
			all = all && (state == 'T' || state == 0)
		}
		return all
	})
}

// ContinueWorkers ends StopWorkers.
func (s *Stack) ContinueWorkers() error {
	if s.inMemory {
		return s.tell("/resume")
	}
	return within(5*time.Second, "the workers did not continue", func() bool {
		all := true
		for _, pid := range s.marked("-worker") {
			if state(pid) == 'T' {
				_ = syscall.Kill(pid, syscall.SIGCONT) // the next look tells
				all = false
			}
		}
		return all
	})
}

func (s *Stack) tell(path string) error {
	res, err := s.client.Post(s.URL+path, "application/json", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(path + ": " + res.Status)
	}
	return nil
}

// Stop kills every process of the peer and waits until none is left. It may be called often.
func (s *Stack) Stop() {
	s.once.Do(func() {
		s.release()
		s.mu.Lock()
		s.stopped = true
		s.mu.Unlock()
		_ = within(30*time.Second, "", func() bool { // only the kernel can hold back the end of a killed process
			left := s.marked("-")
			for _, pid := range left {
				kill(pid)
			}
			return len(left) == 0
		})
		for _, p := range s.procs { // nothing is added any more
			<-p.gone
		}
		s.client.CloseIdleConnections()
	})
}

// kill ends a process with its group, unless that is ours.
func kill(pid int) {
	if group, err := syscall.Getpgid(pid); err == nil && group != syscall.Getpgrp() {
		_ = syscall.Kill(-group, syscall.SIGKILL) // the next look tells
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// marked are the living processes with the mark of a part. A zombie has no environment.
func (s *Stack) marked(part string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is right
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(env, []byte(markName+s.mark+part)) {
			continue // ended meanwhile, or another user's
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// state is the letter in /proc/PID/stat, or 0 when the process is gone.
func state(pid int) byte {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	i := bytes.LastIndex(stat, []byte(") "))
	if err != nil || i < 0 {
		return 0
	}
	return stat[i+2]
}

func within(limit time.Duration, otherwise string, done func() bool) error {
	deadline := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			return errors.New(otherwise)
		case <-tick.C:
		}
	}
	return nil
}

// tail passes on what the processes print and keeps the end of it for an error.
type tail struct {
	mu   sync.Mutex
	to   io.Writer
	last []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if over := len(t.last) - 2000; over > 0 {
		t.last = slices.Delete(t.last, 0, over)
	}
	if t.to != nil {
		_, _ = t.to.Write(p) // a peer must not end because its log cannot be kept
	}
	return len(p), nil
}

func (t *tail) end() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.last))
}
