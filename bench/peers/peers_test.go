package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/redistest"
)

func TestPeersDoWhatTheyAreMeasuredFor(t *testing.T) {
	for _, p := range All() {
		t.Run(p.Name, func(t *testing.T) {
			s, redisURL := run(t, p)
			t.Log(s.Version)
			t.Run("twenty jobs run at most five at a time", func(t *testing.T) { atMostFive(t, s) })
			t.Run("a wrong command counts as failed", func(t *testing.T) { wrongCommand(t, s) })
			if p.Streams() {
				t.Run("ten thousand lines stream byte for byte", func(t *testing.T) { streamed(t, s) })
			}
			t.Run("stopped workers pick nothing up", func(t *testing.T) { stopped(t, p, s, redisURL) })
			t.Run("nothing is left after Stop", func(t *testing.T) { nothingLeft(t, s) })
		})
	}
}

// run starts a peer with a concurrency of five.
func run(t *testing.T, p Peer) (s *Stack, redisURL string) {
	t.Helper()
	if reason := p.Missing(t.Context()); reason != "" {
		t.Skip("SKIPPED, NOT PASSED: " + reason)
	}
	o := Options{Dir: t.TempDir(), Concurrency: 5, Log: t.Output()}
	if !p.inMemory {
		o.RedisURL = redistest.Start(t).URL
	}
	s, err := p.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s, o.RedisURL
}

func post(t *testing.T, s *Stack, cmd string, args ...string) string {
	t.Helper()
	id, err := s.submit(t.Context(), job{cmd, args})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func count(t *testing.T, s *Stack) counts {
	t.Helper()
	c, err := s.counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// finished waits for so many more done than before.
func finished(t *testing.T, s *Stack, before counts, n int) counts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := s.await(ctx, fmt.Sprint(n, " jobs"), func(context.Context) (bool, error) {
		return count(t, s).Done >= before.Done+n, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return count(t, s)
}

// atMostFive runs jobs that each leave a file while they run and count such files.
func atMostFive(t *testing.T, s *Stack) {
	dir, before := t.TempDir(), count(t, s)
	const script = `mkdir "$0/run.$1" && ls -d "$0"/run.* | wc -l >"$0/saw.$1"; sleep 0.1; rmdir "$0/run.$1"`
	for i := range 20 {
		post(t, s, "/bin/sh", "-c", script, dir, strconv.Itoa(i))
	}
	after := finished(t, s, before, 20)
	if after.Done != before.Done+20 || after.Failed != before.Failed {
		t.Errorf("20 jobs took the counts from %+v to %+v", before, after)
	}
	files, err := filepath.Glob(dir + "/saw.*")
	if err != nil || len(files) != 20 {
		t.Fatalf("%d of 20 jobs have run (%v)", len(files), err)
	}
	most := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, n)
	}
	if most < 2 || most > 5 {
		t.Errorf("at most %d jobs ran at a time, not up to 5", most)
	}
}

func wrongCommand(t *testing.T, s *Stack) {
	before := count(t, s)
	post(t, s, "/no/such/program")
	post(t, s, "/bin/false")
	post(t, s, "/bin/true")
	if after := finished(t, s, before, 3); after.Done != before.Done+3 || after.Failed != before.Failed+2 {
		t.Errorf("two wrong commands of three took the counts from %+v to %+v", before, after)
	}
}

func streamed(t *testing.T, s *Stack) {
	const n = 10_000
	golden := filepath.Join(t.TempDir(), "go")
	id := post(t, s, "/bin/sh", "-c", `while ! [ -e "$0" ]; do sleep 0.01; done; seq -f 'line %.0f of a log, as long as lines of logs are' "$1"`, golden, strconv.Itoa(n))
	// Two readers: nobody's lines are another's.
	var got [2]bytes.Buffer
	failed := make(chan error, len(got))
	for i := range got {
		opened := func() error {
			if i == 0 {
				return nil
			}
			return os.WriteFile(golden, nil, 0o600)
		}
		first := make(chan struct{})
		go func() {
			failed <- s.stream(t.Context(), id, func() error { close(first); return opened() }, func(line []byte) {
				got[i].Write(append(line, '\n'))
			})
		}()
		<-first
	}
	for range got {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	var want bytes.Buffer
	for i := range n {
		fmt.Fprintf(&want, "line %d of a log, as long as lines of logs are\n", i+1)
	}
	for i := range got {
		if !bytes.Equal(got[i].Bytes(), want.Bytes()) {
			t.Errorf("reader %d got %d bytes in %d lines, which are not the %d bytes written", i, got[i].Len(), bytes.Count(got[i].Bytes(), []byte("\n")), want.Len())
		}
	}
}

func stopped(t *testing.T, p Peer, s *Stack, redisURL string) {
	if err := s.StopWorkers(); err != nil {
		t.Fatal(err)
	}
	before := count(t, s)
	for range 10 {
		post(t, s, "/bin/true")
	}
	select { // a worker that is not stopped takes them in milliseconds; Asynq's looks once a second
	case <-time.After(1600 * time.Millisecond):
	case <-t.Context().Done():
	}
	if now := count(t, s); now != before {
		t.Errorf("stopped workers took the counts from %+v to %+v", before, now)
	}
	if !p.inMemory {
		// Jobs of others are looked for under the keys that the tool itself uses.
		if _, err := p.freshQueue(t.Context(), redisURL); err == nil || !strings.Contains(err.Error(), "queue is not empty") {
			t.Errorf("with jobs that wait, the look for such says %v", err)
		}
	}
	if err := s.ContinueWorkers(); err != nil {
		t.Fatal(err)
	}
	if after := finished(t, s, before, 10); after.Failed != before.Failed {
		t.Errorf("after a stop the counts went from %+v to %+v", before, after)
	}
}

func nothingLeft(t *testing.T, s *Stack) {
	pids := append(s.API(), s.Workers()...)
	if len(pids) == 0 || len(s.marked("-")) < len(pids) {
		t.Fatalf("%d processes of %d root processes are known", len(s.marked("-")), len(pids))
	}
	for _, pid := range pids {
		if group, err := syscall.Getpgid(pid); err != nil || group != pid {
			t.Errorf("process %d is in group %d (%v), not in its own", pid, group, err)
		}
	}
	file := filepath.Join(t.TempDir(), "started")
	post(t, s, "/bin/sh", "-c", `echo $$ >"$0.part" && mv "$0.part" "$0"; sleep 100`, file)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := s.await(ctx, "a job that runs", func(context.Context) (bool, error) {
		text, err := os.ReadFile(file)
		if err == nil {
			var pid int
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
			pids = append(pids, pid)
			return true, err
		}
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Stop() // as a second defer does
	if left := s.marked("-"); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if left := slices.DeleteFunc(pids, func(pid int) bool { return state(pid) == 0 || state(pid) == 'Z' }); len(left) > 0 {
		t.Errorf("processes %v run after Stop", left)
	}
}
