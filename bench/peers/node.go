package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

var bullMQ = Peer{
	Name:  "bullmq",
	needs: []need{node, npmPackages},
	held:  []string{"bull:peer:wait", "bull:peer:active", "bull:peer:delayed", "bull:peer:paused"},
	programs: func(_ context.Context, at *site) ([]program, error) {
		modules, err := npmFolder()
		if err != nil {
			return nil, err
		}
		// Node looks for packages beside the program, and these are not beside the source.
		run := filepath.Join(at.Dir, "bullmq")
		if err := os.CopyFS(run, os.DirFS(filepath.Join(at.top, "bench/peers/bullmq"))); err != nil {
			return nil, err
		}
		if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(run, "node_modules")); err != nil {
			return nil, err
		}
		env := []string{"NODE_ENV=production"}
		return []program{
			{args: []string{"node", filepath.Join(run, "api.mjs")}, env: env},
			{args: []string{"node", filepath.Join(run, "worker.mjs")}, env: env, worker: true},
		}, nil
	},
	version: func(ctx context.Context, at *site) string {
		all := ""
		for _, name := range []string{"bullmq", "express", "ioredis"} {
			var about struct{ Version string }
			data, err := os.ReadFile(filepath.Join(at.Dir, "bullmq/node_modules", name, "package.json"))
			if err = errors.Join(err, json.Unmarshal(data, &about)); err != nil {
				return "unknown: " + err.Error()
			}
			all += name + " " + about.Version + ", "
		}
		version, _ := say(ctx, "/", "node", "--version") // it runs already
		return all + "Node " + version
	},
}

// node is Node.js of any version that Express 5 takes, with npm.
var node = need{
	missing: func(ctx context.Context) string {
		for _, tool := range []string{"node", "npm"} {
			if _, err := exec.LookPath(tool); err != nil {
				return "no " + tool + " (apt-get install nodejs npm)"
			}
		}
		version, err := say(ctx, "/", "node", "--version")
		var major int
		if _, serr := fmt.Sscanf(version, "v%d.", &major); err != nil || serr != nil || major < 18 {
			return "Node 18 is the oldest that Express 5 runs on, and this is " + version
		}
		return ""
	},
	install: func(ctx context.Context, out io.Writer) error {
		// Packages of nodejs.org bring npm along and do not go with Debian's npm.
		packages := []string{"nodejs"}
		if _, err := exec.LookPath("npm"); err != nil {
			packages = append(packages, "npm")
		}
		return aptGet(ctx, out, packages...)
	},
}

// npmPackages are in a git-ignored folder that no Go tool and no check of ours walks.
var npmPackages = need{
	missing: func(context.Context) string {
		const reason = "no npm packages for it (npm ci, which installing the peer runs)"
		source, err := lockFile()
		if err != nil {
			return err.Error()
		}
		folder, err := npmFolder()
		if err != nil {
			return err.Error()
		}
		// npm writes the second one last.
		installed, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
		_, serr := os.Stat(filepath.Join(folder, "node_modules/.package-lock.json"))
		if err != nil || serr != nil || !bytes.Equal(installed, source) {
			return reason
		}
		return ""
	},
	install: func(ctx context.Context, out io.Writer) error {
		folder, err := npmFolder()
		if err != nil {
			return err
		}
		dir, err := top()
		if err != nil {
			return err
		}
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
		if err := os.CopyFS(folder, os.DirFS(filepath.Join(dir, "bench/peers/bullmq"))); err != nil {
			return err
		}
		return show(ctx, out, folder, nil, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	},
}

func lockFile() ([]byte, error) {
	dir, err := top()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "bench/peers/bullmq/package-lock.json"))
}

func npmFolder() (string, error) {
	dir, err := top()
	return filepath.Join(dir, ".cache/bench/bullmq"), err
}
