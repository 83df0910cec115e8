package peers

import (
	"context"
	"debug/buildinfo"
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
