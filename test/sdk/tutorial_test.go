package sdk

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/test/rig"
)

// block is a piece of the tutorial's code: its language, the word behind it, its text.
type block struct{ lang, word, text string }

func blocks(t *testing.T, document string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rig.Root(), "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+) ?([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		all = append(all, block{m[1], m[2], m[3]})
	}
	return all
}

// Every command of the tutorial is run, in its order, as a reader would; what it
// shows of their output must have come, and the files that it shows must be those
// that are there, or are written.
func TestTheTutorial(t *testing.T) {
	t.Parallel()
	rig.Need(t, "LONGHAUL_REQUIRE_PYTHON", "python3", "bash", "curl", "make")
	mine := filepath.Join(rig.Root(), "mine")
	if _, err := os.Stat(mine); err == nil {
		rig.Missing(t, "CI", "there is a folder mine, which the tutorial makes")
	}
	t.Cleanup(func() { _ = os.RemoveAll(mine) })
	// A home of its own, for what the command line remembers; Go's caches are below the real one.
	r := &reader{t: t, env: append(os.Environ(), "HOME="+t.TempDir(), "GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+goEnv(t, "GOMODCACHE"))}
	ran := 0
	for _, b := range blocks(t, "tutorial.md") {
		switch {
		case b.lang == "sh" && b.word == "server":
			r.serve(b.text)
		case b.lang == "sh":
			r.run(b.text)
			ran++
		case b.lang == "text":
			for line := range strings.Lines(b.text) {
				if !strings.Contains(r.said, strings.TrimSpace(line)) {
					t.Errorf("%q did not come, but\n%s", line, r.said)
				}
			}
		case b.lang == "python":
			r.file(b.word, b.text)
		default:
			t.Errorf("a block of %s %s is for nobody", b.lang, b.word)
		}
	}
	if ran < 7 {
		t.Errorf("only %d blocks were run", ran)
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// reader does what the tutorial says.
type reader struct {
	t    *testing.T
	env  []string
	said string // by the commands of the last block
}

func (r *reader) run(script string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = rig.Root(), r.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	r.said = string(out)
}

// file writes a file that the tutorial shows, or compares it where a command has made it.
func (r *reader) file(path, text string) {
	r.t.Helper()
	path = filepath.Join(rig.Root(), path)
	there, err := os.ReadFile(path)
	if err == nil && string(there) != text {
		r.t.Errorf("%s is not what the tutorial shows", path)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// serve runs what has a terminal of its own until the test ends, and pastes the
// line that it prints.
func (r *reader) serve(script string) {
	r.t.Helper()
	port := strconv.Itoa(redistest.FreePort(r.t))
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = rig.Root(), append(r.env, "PORT="+port, "WORKER_PORT="+strconv.Itoa(redistest.FreePort(r.t)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // make, bash and dev
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	exported := make(chan []string, 1)
	over := make(chan struct{})
	go func() {
		defer close(over)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if words, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "export "); ok {
				exported <- strings.Fields(words)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	r.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // Ctrl-C
		<-over
		_ = cmd.Wait()
	})
	select {
	case words := <-exported:
		r.env = append(r.env, words...)
	case <-over:
		r.t.Fatal("make dev has ended")
	case <-time.After(4 * time.Minute):
		r.t.Fatal("make dev says no line to paste")
	}
}
