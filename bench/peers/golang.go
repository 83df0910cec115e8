package peers

import (
	"context"
	"debug/buildinfo"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

var asynqPlain = Peer{
	Name:  "asynq",
	needs: []need{goTool},
	held:  []string{"asynq:{*}:pending", "asynq:{*}:active", "asynq:{*}:scheduled", "asynq:{*}:retry"},
	programs: func(ctx context.Context, at *site) ([]program, error) {
		binary, err := at.build(ctx, "asynqplain", at.top, "./bench/peers/asynqplain")
		return []program{{args: []string{binary, "api"}}, {args: []string{binary, "worker"}, worker: true}}, err
	},
	version: modulesOf("asynqplain", "github.com/hibiken/asynq", "github.com/labstack/echo/v4", "github.com/redis/go-redis/v9"),
}

// mercure has a module of its own.
var mercure = Peer{
	Name: "mercure", streams: true, inMemory: true,
	needs: []need{goTool, mercureModules},
	programs: func(ctx context.Context, at *site) ([]program, error) {
		binary, err := at.build(ctx, "mercure-peer", filepath.Join(at.top, mercureFolder), ".")
		return []program{{args: []string{binary}}}, err
	},
	version: modulesOf("mercure-peer", "github.com/dunglas/mercure"),
}

const mercureFolder = "bench/peers/mercure"

var mercureModules = need{
	missing: func(ctx context.Context) string {
		dir, err := top()
		if err != nil {
			return err.Error()
		}
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", ".")
		cmd.Dir = filepath.Join(dir, mercureFolder)
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off")
		if cmd.Run() != nil {
			return "no modules of " + mercureFolder + " in the cache (go mod download there)"
		}
		return ""
	},
	install: func(ctx context.Context, out io.Writer) error {
		dir, err := top()
		if err != nil {
			return err
		}
		return show(ctx, out, filepath.Join(dir, mercureFolder), []string{"GOWORK=off"}, "go", "mod", "download")
	},
}

// build builds a package of the module in dir.
func (at *site) build(ctx context.Context, name, dir, pkg string) (string, error) {
	binary := filepath.Join(at.Dir, name)
	_, err := say(ctx, dir, "go", "build", "-tags", "grpcnotrace", "-o", binary, pkg)
	return binary, err
}

func modulesOf(binary string, paths ...string) func(context.Context, *site) string {
	return func(_ context.Context, at *site) string {
		info, err := buildinfo.ReadFile(filepath.Join(at.Dir, binary))
		if err != nil {
			return "unknown: " + err.Error()
		}
		var found []string
		for _, m := range info.Deps {
			if slices.Contains(paths, m.Path) {
				found = append(found, m.Path+" "+m.Version)
			}
		}
		return strings.Join(append(found, info.GoVersion), ", ")
	}
}
