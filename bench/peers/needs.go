package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// need is something that a peer cannot run without.
type need struct {
	missing func(context.Context) string
	install func(context.Context, io.Writer) error
}

// top is the top of the repository: the sources of the peers and their caches are found from there.
func top() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		mod, rerr := os.ReadFile(filepath.Join(dir, "go.mod"))
		if rerr == nil && bytes.HasPrefix(mod, []byte("module github.com/longhaul/longhaul\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside the repository: the peers run from its sources")
		}
	}
	return "", err
}

// say runs a command and returns what it printed, trimmed.
func say(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%s: %w: %s", name, err, text)
	}
	return text, nil
}

// show runs a command whose output the user reads.
func show(ctx context.Context, out io.Writer, dir string, env []string, name string, args ...string) error {
	fmt.Fprintln(out, name, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

func aptGet(ctx context.Context, out io.Writer, packages ...string) error {
	if os.Geteuid() != 0 {
		return errors.New("only root can: apt-get install " + strings.Join(packages, " "))
	}
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := show(ctx, out, "", env, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return show(ctx, out, "", env, "apt-get", append([]string{"install", "-y", "--no-install-recommends"}, packages...)...)
}

// goTool is a Go tool and the repository it can build from.
var goTool = need{
	missing: func(context.Context) string {
		if _, err := exec.LookPath("go"); err != nil {
			return "no go on PATH (go.dev/dl)"
		}
		if _, err := top(); err != nil {
			return err.Error()
		}
		return ""
	},
	install: func(context.Context, io.Writer) error { return errors.New("install Go from go.dev/dl") },
}
