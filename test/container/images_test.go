package container

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

// mib of the API's image, from the specification.
const mostOfAPI = 40 << 20

func TestTheImagesAreSmallAndRunAsNobody(t *testing.T) {
	d := docker(t)
	for image, want := range map[string]struct {
		entrypoint []string
		health     string
	}{
		"longhaul-api":        {[]string{"/usr/local/bin/api"}, "/usr/local/bin/api health"},
		"longhaul-monitoring": {[]string{"/usr/local/bin/monitoring"}, "/usr/local/bin/monitoring health"},
		"longhaul-worker":     {[]string{"/usr/bin/tini", "--", "/usr/local/bin/worker"}, "/usr/local/bin/worker health"},
	} {
		i, err := d.ImageInspect(t.Context(), image)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f MB", image, float64(i.Size)/1e6)
		if image == "longhaul-api" && i.Size > mostOfAPI {
			t.Errorf("%s has %d bytes, more than %d", image, i.Size, mostOfAPI)
		}
		if i.Config.User != "65532:65532" || len(i.Config.Volumes) != 0 || !slices.Equal(i.Config.Entrypoint, want.entrypoint) {
			t.Errorf("%s: user %q, volumes %v, entry point %v", image, i.Config.User, i.Config.Volumes, i.Config.Entrypoint)
		}
		if h := i.Config.Healthcheck; h == nil || strings.Join(h.Test, " ") != "CMD "+want.health {
			t.Errorf("%s: health check %+v", image, h)
		}
		for _, label := range []string{"title", "description", "source", "licenses", "version"} {
			if i.Config.Labels["org.opencontainers.image."+label] == "" {
				t.Errorf("%s lacks the label %s", image, label)
			}
		}
	}
}

// What Railway and a builder without a registry refuse, and what would make two
// compilations of one. Runs without Docker.
func TestTheDockerfilesKeepTheRulesOfEveryBuilder(t *testing.T) {
	stage := map[string]string{}
	for _, name := range []string{"Dockerfile.api", "Dockerfile.worker", "Dockerfile.monitoring"} {
		data, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for _, rule := range []struct{ pattern, why string }{
			{`(?m)^#\s*syntax=`, "a syntax line makes every builder pull a frontend"},
			{`--mount=`, "Railway refuses cache mounts without the id of a service"},
			{`(?m)^VOLUME`, "Railway refuses VOLUME"},
			{`<<`, "the classic builder knows no heredocs"},
			{`@sha256:`, "a stand-in has no digest of the original"},
			{`(?m)^(ENTRYPOINT|CMD) [^\[]`, "a shell as PID 1 passes no signals on"},
			{`(?m)^ADD `, "ADD fetches and unpacks"},
		} {
			if regexp.MustCompile(rule.pattern).MatchString(text) {
				t.Errorf("%s has %s: %s", name, rule.pattern, rule.why)
			}
		}
		for _, needed := range []string{"-trimpath", "USER 65532:65532", "HEALTHCHECK", ".version=${VERSION", "CGO_ENABLED=0"} {
			if !strings.Contains(text, needed) {
				t.Errorf("%s lacks %s", name, needed)
			}
		}
		_, rest, _ := strings.Cut(text, "AS build")
		stage[name], _, _ = strings.Cut(rest, "\nFROM ")
	}
	if stage["Dockerfile.api"] == "" || stage["Dockerfile.api"] != stage["Dockerfile.worker"] {
		t.Error("the build stages of Dockerfile.api and Dockerfile.worker differ: both images would be compiled for themselves")
	}
}

func TestTheMainJobRunsInTheImagesAsTheyAre(t *testing.T) {
	s := newSystemOf(t, asTheyAre)
	s.worker("worker-1")
	id := s.startCommand("python", "src/main.py", "voice-of-customer", "--analysis-type", "topic-based",
		"--multi-agent", "--time-period", "week", "--ai-model", "openai", "--generate-gamma")
	e := s.ends(id, patience, execution.Completed, execution.ReasonExited)
	t.Logf("it took %.1f s and %d MiB", e.DurationSeconds, *e.PeakMemoryBytes>>20)
}

func TestATwoLineDockerfilePutsAnEngineOfYourOwnInTheImage(t *testing.T) {
	s := newSystem(t)
	s.worker("worker-1")
	id := s.start("libraries", "", "")
	s.ends(id, patience, execution.Completed, execution.ReasonExited)
	text := s.text(id)
	requirements, err := os.ReadFile(filepath.Join("..", "..", "deploy", "python", "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for line := range strings.Lines(string(requirements)) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), "==")
		switch {
		case !ok:
		case strings.Contains(text, "used "+name):
			used++
		default:
			t.Logf("NOT PROVEN: this image was built with other requirements, without %s", name)
		}
	}
	if used == 0 {
		t.Errorf("no library of deploy/python/requirements.txt was used: %s", text)
	}
	if !strings.Contains(text, "python 3.12") {
		t.Logf("NOT PROVEN: this image is not on Python 3.12: %s", text)
	}
}

// Fields of a log line that Railway reads.
func TestContainersLogOneLineOfJSONAtATime(t *testing.T) {
	s := newSystem(t)
	w := s.worker("worker-1")
	s.ends(s.start("tick", `{"lines": 3}`, ""), patience, execution.Completed, execution.ReasonExited)
	n := 0
	for line := range strings.Lines(logs(w) + logs(s.api)) {
		var l struct{ Level, Message string }
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Message == "" || !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
			t.Errorf("not a line of JSON with level and message: %s", line)
		}
		n++
	}
	if n < 4 {
		t.Errorf("only %d lines", n)
	}
}
