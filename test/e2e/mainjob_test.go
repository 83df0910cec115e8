package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

// The command line of the guide that users paste from.
const vocRequest = `{
    "command": "python",
    "args": [
      "src/main.py",
      "voice-of-customer",
      "--analysis-type", "topic-based",
      "--multi-agent",
      "--time-period", "week",
      "--ai-model", "openai",
      "--generate-gamma"
    ]
  }`

func needPython(t *testing.T) {
	t.Helper()
	rig.Need(t, "LONGHAUL_REQUIRE_PYTHON", "python3")
}

func TestTheMainJobOnTwoReplicasAndTwoWorkers(t *testing.T) {
	needPython(t)
	s := newSystem(t)
	a, b := s.api(), s.api()
	s.worker()
	s.worker()

	res, body := a.do("POST", "/execute/start", vocRequest)
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("start: %d %s", res.StatusCode, body)
	}
	started := decode[map[string]any](t, body)
	id := started["execution_id"].(string)
	if !regexp.MustCompile(`^exec_\d{13}_[0-9a-z]{9}$`).MatchString(id) {
		t.Errorf("id is %q", id)
	}
	if started["status"] != "queued" || started["queue_position"] != float64(0) || started["message"] != "Execution started in background" {
		t.Errorf("answer is %s", body)
	}

	// The other replica streams it, from the first event to the end.
	var types []string
	percent := -1.0
	for e, err := range b.Client().Stream(t.Context(), execution.ID(id), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if want := execution.Cursor(len(types) + 1); e.Seq != want {
			t.Fatalf("event %d, want %d", e.Seq, want)
		}
		types = append(types, string(e.Type))
		if e.Type == execution.EventProgress {
			now := decode[struct{ Percent float64 }](t, string(e.Data)).Percent
			if now < percent {
				t.Errorf("progress fell from %v to %v", percent, now)
			}
			percent = now
		}
	}
	for _, want := range []string{"status", "log", "progress", "agent", "artifact"} {
		if !slices.Contains(types, want) {
			t.Errorf("no %s event came", want)
		}
	}
	if types[len(types)-1] != "end" || percent != 100 {
		t.Errorf("last event is %s, progress %v", types[len(types)-1], percent)
	}

	_, body = b.do("GET", "/execute/status/"+id, "")
	st := decode[map[string]any](t, body)
	for _, field := range []string{
		"execution_id", "status", "command", "args", "queue_position", "created_at", "started_at",
		"completed_at", "duration_seconds", "return_code", "error_message",
	} {
		if _, ok := st[field]; !ok {
			t.Errorf("status lacks %s", field)
		}
	}
	if st["status"] != "completed" || st["return_code"] != float64(0) || st["queue_position"] != nil || st["error_message"] != nil {
		t.Errorf("status is %s", body)
	}

	_, body = a.do("GET", "/execute/output/"+id, "")
	out := decode[api.Output](t, body)
	if !strings.Contains(out.Output, "messages") || len(out.Result) < 100 {
		t.Errorf("output %.200q, result %.200s", out.Output, out.Result)
	}
	var paths []string
	for _, f := range out.Artifacts {
		paths = append(paths, f.Path)
		res, content := b.do("GET", f.URL, "")
		if res.StatusCode != http.StatusOK || int64(len(content)) != f.Size {
			t.Errorf("%s: %d, %d bytes of %d", f.URL, res.StatusCode, len(content), f.Size)
		}
	}
	for _, want := range []string{"report.md", "report.html", "slides.html"} {
		if !slices.Contains(paths, want) {
			t.Errorf("artifacts are %v, without %s", paths, want)
		}
	}
	if res, _ := b.do("GET", "/execute/stream/"+id, "", "Last-Event-ID", "999999"); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a cursor from the future: %d", res.StatusCode)
	}
	if res, _ := b.do("GET", "/execute/stream/"+id, "", "Last-Event-ID", execution.Cursor(len(types)).String()); res.StatusCode != http.StatusNoContent {
		t.Errorf("a client that has seen the end: %d", res.StatusCode)
	}
}

// The guide's JavaScript, as it stands there, under Node.
func TestTheJavaScriptOfTheGuideRunsUnchanged(t *testing.T) {
	needPython(t)
	rig.Need(t, "LONGHAUL_REQUIRE_NODE", "node")
	s := newSystem(t)
	a := s.api()
	s.worker()
	cmd := exec.Command("node", filepath.Join("testdata", "guide.mjs"))
	cmd.Env = append(os.Environ(), "BASE_URL="+a.URL, "API_TOKEN="+token)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "✅ Analysis completed successfully!") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestTheAgentSpeaksAsPlainDataEvents(t *testing.T) {
	needPython(t)
	s := newSystem(t)
	a := s.api()
	s.worker()
	res, body := a.do("POST", "/agent/run", `{"input":"What do customers complain about most?"}`)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%d %s %s", res.StatusCode, res.Header.Get("Content-Type"), body)
	}
	var said strings.Builder
	for block := range strings.SplitSeq(body, "\n\n") {
		var lines []string
		plain := true
		for line := range strings.SplitSeq(block, "\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				lines = append(lines, data)
			} else if line == "data:" {
				lines = append(lines, "")
			} else if strings.HasPrefix(line, "event:") {
				plain = false
			}
		}
		if plain && len(lines) > 0 {
			said.WriteString(strings.Join(lines, "\n"))
		}
	}
	id := execution.ID(res.Header.Get("X-Execution-Id"))
	if said.Len() < 50 || said.String() != a.text(id) {
		t.Errorf("the agent said %q over SSE and %q on stdout", said.String(), a.text(id))
	}
	result := decode[struct{ Answer string }](t, string(func() json.RawMessage {
		_, b := a.do("GET", "/execute/output/"+string(id), "")
		return decode[api.Output](t, b).Result
	}()))
	if strings.TrimSpace(result.Answer) != strings.TrimSpace(said.String()) {
		t.Errorf("result %q", result.Answer)
	}
}

func TestTheOtherExamplesRun(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	s.worker()
	if e := a.wait(a.run(api.StartRequest{Engine: "disk-report"})); e.Status != execution.Completed {
		t.Errorf("disk-report: %s, %s", e.Status, value(e.ErrorMessage))
	}
	rig.Need(t, "LONGHAUL_REQUIRE_NODE", "node")
	id := a.run(api.StartRequest{Engine: "word-count", Input: json.RawMessage(`{"text":"one two two"}`)})
	if e := a.wait(id); e.Status != execution.Completed {
		t.Errorf("word-count: %s, %s\n%s", e.Status, value(e.ErrorMessage), a.text(id))
	}
}
