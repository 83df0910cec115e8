package peers

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/redistest"
)

// using are the processes that were given a folder to write to, whoever knows of them.
func using(t *testing.T, dir string) (pids []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err == nil && bytes.Contains(env, []byte("PEER_DIR="+dir+"\x00")) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

func mustHave(t *testing.T, name string) Peer {
	t.Helper()
	p, ok := ByName(name)
	if !ok {
		t.Fatalf("no peer %q", name)
	}
	if reason := p.Missing(t.Context()); reason != "" {
		t.Skip("SKIPPED, NOT PASSED: " + reason)
	}
	return p
}

func TestAStartThatFailsHalfWayLeavesNothingAndSaysWhy(t *testing.T) {
	p := mustHave(t, "celery")
	dir := t.TempDir()
	_, err := p.Start(t.Context(), Options{Dir: dir, RedisURL: redistest.Start(t).URL, Concurrency: 2, Preload: "no_such_module", Log: t.Output()})
	if err == nil || !strings.Contains(err.Error(), "No module named 'no_such_module'") {
		t.Errorf("a worker that cannot import its module: %v", err)
	}
	if left := using(t, dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestTheEndOfTheContextEndsAPeer(t *testing.T) {
	p := mustHave(t, "fastapi")
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := p.Start(ctx, Options{Dir: dir, Concurrency: 2, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	if running := using(t, dir); !slices.Contains(running, s.API()[0]) {
		t.Fatalf("%v does not have the API %v", running, s.API())
	}
	cancel()
	err = within(20*time.Second, "still there", func() bool { return len(using(t, dir)) == 0 })
	if err != nil {
		t.Errorf("after the end of the context: %v: %v", using(t, dir), err)
	}
	s.Stop()
}

func TestAQueueWithJobsOfOthersIsRefused(t *testing.T) {
	r := redistest.Start(t)
	o, err := redis.ParseURL(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(o)
	defer rdb.Close()
	for name, key := range map[string]string{
		"asynq": "asynq:{default}:pending", "celery": "celery", "rq": "rq:queue:peer", "bullmq": "bull:peer:wait",
	} {
		t.Run(name, func(t *testing.T) {
			p := mustHave(t, name)
			if err := rdb.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := rdb.RPush(t.Context(), key, "a job").Err(); err != nil {
				t.Fatal(err)
			}
			s, err := p.Start(t.Context(), Options{Dir: t.TempDir(), RedisURL: r.URL, Concurrency: 1})
			if err == nil {
				s.Stop()
			}
			if err == nil || !strings.Contains(err.Error(), "queue is not empty") {
				t.Errorf("with %s in Redis: %v", key, err)
			}
		})
	}
}

const preloaded = `
import os
imported_in = os.getpid()

def note(file, *words):
    with open(file, "a") as out:
        out.write(" ".join([str(os.getpid() != imported_in), *words]) + "\n")

def fail():
    raise ValueError("on purpose")
`

func TestPythonWorkersCallAFunctionOfAModuleImportedBeforeTheFork(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "warm_engine.py"), []byte(preloaded), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHONPATH", dir)
	for _, name := range []string{"celery", "rq"} {
		t.Run(name, func(t *testing.T) {
			p := mustHave(t, name)
			s, err := p.Start(t.Context(), Options{Dir: t.TempDir(), RedisURL: redistest.Start(t).URL, Concurrency: 2, Preload: "warm_engine", Log: t.Output()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Stop()
			before, file := count(t, s), filepath.Join(t.TempDir(), "note")
			post(t, s, "@call", "warm_engine", "note", file, "two", "words")
			post(t, s, "@call", "warm_engine", "fail")
			if after := finished(t, s, before, 2); after.Failed != before.Failed+1 {
				t.Errorf("a call that raises and one that does not took the counts from %+v to %+v", before, after)
			}
			text, err := os.ReadFile(file)
			if err != nil || string(text) != "True two words\n" {
				t.Errorf("the call noted %q (%v): it should have run in a child of where the module was imported", text, err)
			}
		})
	}
}
