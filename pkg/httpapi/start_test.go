package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

func TestStartAnswersAsTheSeedShows(t *testing.T) {
	w := newWorld(t)
	body := `{"command":"python","args":["src/main.py","voice-of-customer","--multi-agent"]}`
	started, header := call[api.Started](w, http.StatusAccepted, "POST", "/execute/start", body)
	if started.Status != execution.Queued || *started.QueuePosition != 0 || started.Message != "Execution started in background" {
		t.Errorf("answer is %+v", started)
	}
	if _, err := execution.ParseID(string(started.ID)); err != nil {
		t.Error(err)
	}
	if got, want := header.Get("Location"), "/execute/status/"+string(started.ID); got != want {
		t.Errorf("Location is %q, want %q", got, want)
	}
	if header.Get("Retry-After") != "2" || header.Get("X-Request-Id") == "" || header.Get("Idempotency-Replayed") != "" {
		t.Errorf("headers are %v", header)
	}
	second, _ := call[api.Started](w, http.StatusAccepted, "POST", "/execute/start", body)
	if *second.QueuePosition != 1 {
		t.Errorf("the second is at position %d, want 1", *second.QueuePosition)
	}
	status, _ := call[api.Execution](w, http.StatusOK, "GET", started.Links.Status, "")
	if *status.Command != "python" || len(status.Args) != 3 || status.ReturnCode != nil || *status.QueuePosition != 0 {
		t.Errorf("status is %+v", status)
	}
}
