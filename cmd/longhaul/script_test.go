package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/longhaul/longhaul/pkg/app"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/redistest"
)

func TestMain(m *testing.M) {
	process.Main() // the worker of these tests runs engines
	testscript.Main(m, map[string]func(){"longhaul": main})
}

// TestScripts runs testdata/script, which says what the command line does,
// against a whole system on a real Redis.
func TestScripts(t *testing.T) {
	url := startSystem(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("SCRIPT", filepath.Base(e.WorkDir))
			e.Setenv("LONGHAUL_URL", url)
			e.Setenv("LONGHAUL_TOKEN", scriptToken)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "signal": sendSignal, "code": code, "ends": ends, "keep": keep, "proxy": proxy, "cut": cut,
		},
	})
}

const scriptToken = "the-token-of-the-scripts"

// startSystem runs an API and a worker until the test ends.
func startSystem(t *testing.T, settings ...string) string {
	t.Helper()
	dir := t.TempDir()
	catalog := filepath.Join(dir, "engines.yaml")
	if err := os.WriteFile(catalog, []byte(scriptEngines), 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"HOST": "127.0.0.1", "PORT": fmt.Sprint(redistest.FreePort(t)), "REDIS_URL": redistest.Start(t).URL, "API_TOKENS": scriptToken,
		"ENGINES_FILE": catalog, "WORKDIR": filepath.Join(dir, "work"), "ARTIFACTS_URL": "file://" + filepath.Join(dir, "outputs"),
		"MAX_CONCURRENT": "20", "WORKER_NAME": "worker-1", "DRAIN_TIMEOUT": "5s",
	}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		values[name] = value
	}
	cfg, err := config.Load(func(name string) (string, bool) { v, ok := values[name]; return v, ok }, config.Dev)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	listening := make(chan net.Addr, 1)
	var both sync.WaitGroup
	ended := make(chan error, 2)
	both.Go(func() { ended <- app.API(ctx, cfg, log, func(at net.Addr) { listening <- at }) })
	both.Go(func() { ended <- app.Worker(ctx, cfg, log) })
	t.Cleanup(func() {
		stop()
		both.Wait()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	select {
	case at := <-listening:
		return "http://" + at.String()
	case err := <-ended:
		ended <- err
		t.Fatal("the system does not start")
	}
	return ""
}

// scriptEngines is the catalog of the scripts.
const scriptEngines = `
engines:
  greeter:
    description: Says hello
    command: [sh, -c, 'echo "hello $1 $2"', greeter]
    params:
      properties:
        name: {type: string}
        times: {type: integer}
      required: [name, times]
    args: ["{name}", "{times}"]
  reader:
    description: Repeats its input
    command: [cat]
  nowhere:
    command: [/no/such/program]
commands:
  sh: {args: any, env_from_request: [GREETING], grace: 1m}
`

// await waits for a file, for a connection over the proxy, or until the newest
// execution with the label script=$SCRIPT has a status.
func await(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, args[0], func() bool {
		if strings.ContainsAny(args[0], "./") {
			info, err := os.Stat(ts.MkAbs(args[0]))
			return err == nil && info.Size() > 0
		}
		if args[0] == "connected" {
			p, _ := proxies.Load(ts)
			return p.(*cuttable).connected()
		}
		list, err := asking(ts).List(context.Background(), client.ListQuery{Limit: 1, Labels: map[string]string{"script": ts.Getenv("SCRIPT")}})
		return err == nil && len(list.Executions) == 1 && string(list.Executions[0].Status) == args[0]
	})
}

func asking(ts *testscript.TestScript) *client.Client {
	c, err := client.New(ts.Getenv("LONGHAUL_URL"), ts.Getenv("LONGHAUL_TOKEN"), client.Options{})
	ts.Check(err)
	return c
}

func eventually(ts *testscript.TestScript, what string, ok func() bool) {
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit.C:
			ts.Fatalf("%s: not within a minute", what)
		case <-tick.C:
		}
	}
}

// background is the newest command in the background, also after wait has
// taken it off the list.
var background sync.Map // of *exec.Cmd by *testscript.TestScript

func newest(ts *testscript.TestScript) *exec.Cmd {
	if all := ts.BackgroundCmds(); len(all) > 0 {
		background.Store(ts, all[len(all)-1])
	}
	cmd, ok := background.Load(ts)
	if !ok {
		ts.Fatalf("there is nothing in the background")
	}
	return cmd.(*exec.Cmd)
}

// sendSignal sends a signal to the newest command in the background.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}
	ts.Check(newest(ts).Process.Signal(signals[args[0]]))
}

// code says what a command that signal or cut was about has ended with; it
// stands after wait.
func code(ts *testscript.TestScript, _ bool, args []string) {
	if got := fmt.Sprint(newest(ts).ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("ended with %s, want %s", got, args[0])
	}
}

// ends runs the rest of its arguments and wants the exit code that the first names.
func ends(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got, err = e.ExitCode(), nil
	}
	ts.Check(err)
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("ended with %d, want %s", got, args[0])
	}
}

// keep puts what a pattern's group found in the last stdout into a variable.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("%s: nothing found", args[1])
	}
	ts.Setenv(args[0], found[1])
}
