package peers

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// interpreter is Debian's Python: whichever other comes first on PATH lacks Debian's packages.
const interpreter = "/usr/bin/python3"

var web = []string{"fastapi", "uvicorn", "uvloop", "httptools"}

var fastAPI = fastAPIAs("fastapi")

// fastAPIPopen is the same with children that cost as little as Python allows.
var fastAPIPopen = fastAPIAs("fastapi-popen", "PEER_CHILDREN=popen")

func fastAPIAs(name string, env ...string) Peer {
	return Peer{
		Name: name, streams: true, inMemory: true,
		needs: []need{python(web...)},
		programs: func(_ context.Context, at *site) ([]program, error) {
			app := at.uvicorn("fastapi", "app:app")
			app.env = append(app.env, env...)
			return []program{app}, nil
		},
		version: versions("fastapi", "uvicorn"),
	}
}

var celery = Peer{
	Name:  "celery",
	needs: []need{python(append([]string{"celery", "redis"}, web...)...)},
	held:  []string{"celery", "unacked*"},
	programs: func(_ context.Context, at *site) ([]program, error) {
		worker := at.python("celery", "celery", "--quiet", "-A", "tasks", "worker", "--pool", "prefork", "--concurrency", strconv.Itoa(at.Concurrency),
			"--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")
		worker.worker = true
		worker.env = append(worker.env, "PEER_PRELOAD="+at.Preload)
		return []program{at.uvicorn("celery", "api:app"), worker}, nil
	},
	version: versions("celery", "redis", "fastapi", "uvicorn"),
}

var rq = Peer{
	Name:  "rq",
	needs: []need{python(append([]string{"rq", "redis"}, web...)...)},
	held:  []string{"rq:queue:*", "rq:wip:*"},
	programs: func(_ context.Context, at *site) ([]program, error) {
		all := []program{at.uvicorn("rq", "api:app")}
		for range at.Concurrency {
			worker := at.python("rq", "worker")
			worker.worker = true
			worker.env = append(worker.env, "PEER_PRELOAD="+at.Preload)
			all = append(all, worker)
		}
		return all, nil
	},
	ready: func(ctx context.Context, rdb redis.UniversalClient, concurrency int) (bool, error) {
		serving, err := rdb.SCard(ctx, "rq:workers:peer").Result()
		return serving == int64(concurrency), err
	},
	version: versions("rq", "redis", "fastapi", "uvicorn"),
}

// python needs modules of Debian's Python, each in a package of its own name.
func python(modules ...string) need {
	const find = "import importlib.util, sys; print(*['python3-' + m for m in sys.argv[1:] if not importlib.util.find_spec(m)])"
	lacking := func(ctx context.Context) ([]string, string) {
		if _, err := os.Stat(interpreter); err != nil {
			return nil, "no " + interpreter + " (apt-get install python3)"
		}
		out, err := say(ctx, "/", interpreter, append([]string{"-sc", find}, modules...)...)
		if err != nil {
			return nil, err.Error()
		}
		return strings.Fields(out), ""
	}
	return need{
		missing: func(ctx context.Context) string {
			packages, reason := lacking(ctx)
			if len(packages) > 0 {
				all := strings.Join(packages, " ")
				return "no " + all + " (apt-get install " + all + ")"
			}
			return reason
		},
		install: func(ctx context.Context, out io.Writer) error {
			packages, _ := lacking(ctx)
			return aptGet(ctx, out, append(packages, "python3")...)
		},
	}
}

// python runs a module with a peer's folder on its path.
func (at *site) python(folder, module string, args ...string) program {
	path := filepath.Join(at.top, "bench/peers", folder)
	if more := os.Getenv("PYTHONPATH"); more != "" {
		path += ":" + more
	}
	return program{
		args: append([]string{interpreter, "-m", module}, args...),
		// SPT_NOENV: where python3-setproctitle is installed, a new title must not
		// overwrite the environment, by which Stack finds its processes.
		env: []string{"PYTHONPATH=" + path, "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "SPT_NOENV=1"},
	}
}

// uvicorn serves an app with the fastest loop and parser and no log line per request.
func (at *site) uvicorn(folder, app string) program {
	return at.python(folder, "uvicorn", app, "--host", "127.0.0.1", "--port", at.port,
		"--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
}

func versions(modules ...string) func(context.Context, *site) string {
	const read = "import importlib.metadata as m, platform, sys; print(*[n + ' ' + m.version(n) for n in sys.argv[1:]], 'Python ' + platform.python_version(), sep=', ')"
	return func(ctx context.Context, _ *site) string {
		out, err := say(ctx, "/", interpreter, append([]string{"-sc", read}, modules...)...)
		if err != nil {
			return "unknown: " + err.Error()
		}
		return out
	}
}
