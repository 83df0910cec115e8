package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/test/rig"
)

// The whole way: catalog, worker, launcher, event, metrics, drain.
func TestAnEngineIsKeptWarmOrSaysWhyNot(t *testing.T) {
	needPython(t)
	s := newSystem(t)
	for name, content := range map[string]string{
		"heavy.py": "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass\n",
		"main.py":  "import heavy, os, sys, json\nprint(json.dumps([os.environ['SECRET'], os.environ['EXECUTION_ID'], os.getcwd(), sys.argv]))\nsys.stdin.read()\n",
		"engines.yaml": `
engines:
  hot:
    command: [python3, main.py]
    cwd: .
    allow_args: any
    secrets: {SECRET: {env: TEST_SECRET}}
    warm: {processes: 1, import: [heavy], max_executions: 1}
`,
	} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := s.api()
	port := redistest.FreePort(t)
	w := s.worker("WORKER_PORT=" + strconv.Itoa(port))
	ready := proc{&rig.Proc{T: t, URL: "http://127.0.0.1:" + strconv.Itoa(port)}}
	metric := func(line string) bool {
		_, metrics := ready.do("GET", "/metrics", "")
		return strings.Contains(metrics, line)
	}
	s.Eventually("one is ready", func() bool { return metric(`longhaul_warm_ready{engine="hot"} 1`) })
	id := a.run(api.StartRequest{Engine: "hot", Args: []string{"one"}})
	if r := a.wait(id); r.Status != "completed" {
		t.Fatalf("%+v", r)
	}
	var got []any
	if err := json.Unmarshal([]byte(a.text(id)), &got); err != nil || len(got) != 4 || got[0] != "[redacted]" && strings.Contains(a.text(id), "correct-horse") || got[1] != string(id) {
		t.Errorf("%v, %s", err, a.text(id))
	}
	_, events := a.do("GET", "/execute/output/"+string(id), "")
	if strings.Contains(events, "cold_start") || !metric(`longhaul_warm_starts_total{engine="hot",start="warm"} 1`) {
		t.Errorf("not warm: %s", events)
	}

	cold := a.run(api.StartRequest{Engine: "hot"}) // the next launcher is still importing
	a.wait(cold)
	if _, events := a.do("GET", "/execute/output/"+string(cold), ""); !strings.Contains(events, `"cold_start"`) || !strings.Contains(events, "in use") {
		t.Errorf("a cold start says nothing: %s", events)
	}
	w.Stop(20 * time.Second)
	if left := running(t, s.Dir); len(left) > 0 {
		t.Errorf("the worker has stopped, and left %q", left)
	}
}

// running lists the command lines that name dir.
func running(t *testing.T, dir string) (all []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if line, _ := os.ReadFile(file); strings.Contains(string(line), filepath.Join(dir, "work")) {
			all = append(all, string(line))
		}
	}
	return all
}
