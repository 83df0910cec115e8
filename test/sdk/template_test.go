package sdk

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

// A worker that is told to stop takes nothing with it: the next one goes on after
// the topics that are done.
func TestTheTemplateGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	rig.Need(t, "LONGHAUL_REQUIRE_PYTHON", "python3")
	folder := filepath.Join(rig.Root(), "examples", "template")
	catalog, err := os.ReadFile(filepath.Join(folder, "engines.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s := rig.New(t, bin, strings.Replace(string(catalog), "cwd: .", "cwd: "+folder, 1), "LOG_LEVEL=info")
	api1, first := s.API(), s.Worker("MAX_CONCURRENT=1")
	c := api1.Client()
	started, err := c.Start(t.Context(), api.StartRequest{Engine: "research", Params: json.RawMessage(`{"topics":["one","two","three"],"seconds":4}`)}, "")
	if err != nil {
		t.Fatal(err)
	}
	var board, done []string
	for e, err := range c.Stream(t.Context(), started.ID, 0) {
		if err != nil {
			t.Fatal(err)
		}
		switch e.Type {
		case "agent":
			var card struct{ Name, Status string }
			if err := json.Unmarshal(e.Data, &card); err != nil {
				t.Fatal(err)
			}
			board = append(board, card.Name+" "+card.Status)
		case execution.EventProgress:
			done = append(done, string(e.Data))
			if len(done) == 1 {
				s.Worker()
				first.Stop(30 * time.Second)
			}
		}
	}
	e, err := c.Status(t.Context(), started.ID)
	if err != nil || e.Status != execution.Completed || e.Attempt != 2 {
		t.Fatalf("%v, %+v", err, e)
	}
	out, err := c.Output(t.Context(), started.ID, client.OutputQuery{})
	if err != nil || string(out.Result) != `{"topics": ["one", "two", "three"], "partial": false}` && string(out.Result) != `{"topics":["one","two","three"],"partial":false}` {
		t.Errorf("%v, result %s", err, out.Result)
	}
	if !strings.Contains(out.Output, "attempt 2 goes on after one") || len(done) != 3 {
		t.Errorf("progress %v, output:\n%s", done, out.Output)
	}
	if n := strings.Count(strings.Join(board, ", "), "one running"); n != 1 {
		t.Errorf("the board was %v", board)
	}
	var report bytes.Buffer
	if _, err := c.Download(t.Context(), started.ID, "report.md", &report); err != nil || strings.Count(report.String(), "## ") != 3 {
		t.Errorf("%v, report:\n%s", err, report.String())
	}
}
