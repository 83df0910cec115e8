package process_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestWhatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	onPath := func(c process.Command, path string) process.Command {
		c.Env = append(slices.Clone(c.Env), "PATH="+path)
		return c
	}
	in := func(dir string, c process.Command) process.Command {
		c.Dir = dir
		return c
	}
	pool := newPool(t, 1)
	for name, test := range map[string]struct {
		command process.Command
		op      string
		err     error
	}{
		"a file that is not there":      {command("/nowhere/program"), "exec", syscall.ENOENT},
		"a name that is not on PATH":    {command("no-such-program"), "lookup", syscall.ENOENT},
		"a name, and an empty PATH":     {onPath(command("true"), ""), "lookup", syscall.ENOENT},
		"no name":                       {command(""), "lookup", syscall.ENOENT},
		"a file that is not executable": {command(writeFile(t, "#!/bin/sh\n", 0o600)), "exec", syscall.EACCES},
		"one on PATH, not executable":   {onPath(command("program"), filepath.Dir(writeFile(t, "", 0o600))), "lookup", syscall.EACCES},
		"a directory":                   {command(dir), "exec", syscall.EACCES},
		"neither binary nor script":     {command(writeFile(t, "hello\n", 0o700)), "exec", syscall.ENOEXEC},
		"a script without interpreter":  {command(writeFile(t, "#!/nowhere/sh\n", 0o700)), "exec", syscall.ENOENT},
		"an argument that is too long":  {command("true", strings.Repeat("x", 1<<20)), "exec", syscall.E2BIG},
		"a directory that is not there": {in(dir+"/missing", command("true")), "chdir", syscall.ENOENT},
		"a directory that is a file":    {in(writeFile(t, "", 0o600), command("true")), "chdir", syscall.ENOTDIR},
		"a NUL in an argument":          {command("true", "a\x00b"), "check", syscall.EINVAL},
		"an environment without its id": {process.Command{ExecutionID: "x", Path: "true"}, "check", syscall.EINVAL},
		"no execution id":               {process.Command{Path: "true", Env: []string{"EXECUTION_ID="}}, "check", syscall.EINVAL},
		"limits, and a file not there":  {limited(command("/nowhere/program"), process.Limits{OpenFiles: 99}), "exec", syscall.ENOENT},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := pool.Start(t.Context(), test.command)
			var failed *process.StartError
			if !errors.As(err, &failed) || failed.Op != test.op || !errors.Is(err, test.err) {
				t.Errorf("got %v and %#v, want %s: %v", p, err, test.op, test.err)
			}
			if left := processtest.Survivors(test.command.ExecutionID); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
	if exit := start(t, pool, command("true")).wait(); !exit.Success() {
		t.Errorf("and the slot is spoiled: %v", exit)
	}
}

func limited(c process.Command, l process.Limits) process.Command {
	c.Limits = l
	return c
}

func TestArgumentsArriveExactly(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	for name, args := range map[string][]string{
		"quotes, spaces, newlines": {"", " ", "a b", `"quoted"`, `it's`, "line\nline", "$HOME", "*", `\`, "-n", "--", ""},
		"bytes that are no text":   {"\xff\xfe", "\xe2\x82", "\x01\x7f"},
		"more than a socket holds": slices.Repeat([]string{strings.Repeat("long", 20000)}, 20),
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, pool, bad(processtest.Arguments, args...))
			if got := strings.Split(r.rest(), "\x00"); !slices.Equal(got[:len(got)-1], args) {
				t.Errorf("got %.200q", got)
			}
			r.wait()
		})
	}
}

func TestTheEnvironmentIsExactlyTheCommands(t *testing.T) {
	t.Parallel()
	c := bad(processtest.Environ)
	c.Env = []string{"EXECUTION_ID=" + c.ExecutionID, "A=1", "A=2", "EMPTY=", "odd", "bytes=\xff\n"}
	r := start(t, newPool(t, 1), c)
	if got, want := r.rest(), strings.Join(c.Env, "\x00")+"\x00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.wait()
}

func TestNamesAreLookedUpWithTheEnginesPathFromItsDirectory(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "#!/bin/sh\necho found as $0\n", 0o700)
	pool := newPool(t, 1)
	for name, path := range map[string]string{
		"an absolute entry": "/nowhere:" + filepath.Dir(file),
		"a relative entry":  "/nowhere:.",
		"an empty entry":    "/nowhere:",
	} {
		t.Run(name, func(t *testing.T) {
			c := command("program")
			c.Env = append(c.Env, "PATH="+path)
			c.Dir = filepath.Dir(file)
			r := start(t, pool, c)
			if got := r.line(); !strings.HasPrefix(got, "found as ") || !strings.HasSuffix(got, "/program") {
				t.Errorf("got %q", got)
			}
			r.wait()
		})
	}
	c := command("./program")
	c.Dir = filepath.Dir(file)
	if got := start(t, pool, c).line(); got != "found as ./program" {
		t.Errorf("relative path: got %q", got)
	}
}

func read(file string) string {
	raw, _ := os.ReadFile(file)
	return string(raw)
}
