// Package sdk runs the test suites of sdk/python and sdk/typescript against the
// built binaries and a real Redis, through a proxy that cuts lines in the
// middle, and the commands of the tutorial.
package sdk

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/test/rig"
)

// bin holds the built binaries.
var bin string

func TestMain(m *testing.M) {
	os.Exit(rig.Main(m, &bin, "./cmd/api", "./cmd/worker", "./cmd/longhaul"))
}

// stage is an API, a worker, and the proxy before the API.
type stage struct {
	*rig.System
	url, cutURL string
	cutter      *cutter
	vars        []string // more of the environment of an SDK's own tests
}

const enginesYAML = `
engines:
  speak:
    command: [python3, speak.py]
    cwd: $ROOT/test/sdk/testdata
    env: {PYTHONPATH: $ROOT/sdk/python}
  count:
    command: [sh, count.sh]
    cwd: $ROOT/test/sdk/testdata
    params: {properties: {to: {type: integer, default: 10}}}
    args: ["{to}"]
    env_from_request: [GREETING]
commands:
  sh: {args: any}
`

func newStage(t *testing.T) *stage {
	t.Helper()
	s := rig.New(t, bin, enginesYAML, "CORS_ORIGINS=*", "LOG_LEVEL=warn")
	api := s.API()
	s.Worker("LOG_LEVEL=info")
	c := newCutter(t, strings.TrimPrefix(api.URL, "http://"))
	return &stage{System: s, url: api.URL, cutURL: "http://" + c.addr, cutter: c}
}

// suite runs one SDK's own tests with the addresses of the stage.
func (s *stage) suite(folder, program string, args ...string) {
	s.T.Helper()
	cmd := exec.CommandContext(s.T.Context(), program, args...)
	cmd.Dir = filepath.Join(rig.Root(), folder)
	cmd.Env = append(os.Environ(), "LONGHAUL_TEST_URL="+s.url, "LONGHAUL_TEST_CUT_URL="+s.cutURL, "LONGHAUL_TEST_TOKEN="+rig.Token)
	cmd.Env = append(cmd.Env, s.vars...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.T.Fatalf("%s %v in %s: %v\n%s", program, args, folder, err, out)
	}
	s.T.Logf("%s", out[max(0, len(out)-1500):])
}

// mustHaveCut guards against a proxy that lets everything through.
func (s *stage) mustHaveCut(streams, rest int64) {
	s.T.Helper()
	if n := s.cutter.streams.Load(); n < streams {
		s.T.Errorf("only %d streams were cut", n)
	}
	if n := s.cutter.rest.Load(); n < rest {
		s.T.Errorf("only %d other answers were cut", n)
	}
}
