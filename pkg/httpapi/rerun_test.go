package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

const whole = `{"command":"python","args":["main.py"],"env":{"KEY":"` + secret + `"},"webhook_url":"https://example.com/` + secret + `","labels":{"team":"red"},"timeout_seconds":60,"delay_seconds":5}`

func TestTheSpecOfAnExecutionStartsItAgain(t *testing.T) {
	w := newWorld(t)
	first, _ := call[api.Started](w, 202, "POST", "/execute/start", whole)
	text := string(readAll(t, w.do("GET", "/execute/spec/"+string(first.ID), "")))
	if strings.Contains(text, secret) || !strings.Contains(text, `"KEY":"***"`) || !strings.Contains(text, `"on_interrupt":"fail"`) {
		t.Errorf("the spec is %s", text)
	}
	again, header := call[api.Started](w, 202, "POST", "/execute/rerun/"+string(first.ID), text)
	if again.ID == first.ID || again.Links.Status != header.Get("Location") || again.StreamToken == "" || again.QueuePosition == nil {
		t.Errorf("%+v", again)
	}
	spec := w.store.recs[again.ID].Spec
	if spec.Env["KEY"] != secret || spec.WebhookURL != "https://example.com/"+secret || spec.Labels["team"] != "red" || spec.TimeoutSeconds != 60 || spec.DelaySeconds != 0 {
		t.Errorf("it starts %+v", spec)
	}
	status, _ := call[api.Execution](w, 200, "GET", "/execute/status/"+string(again.ID), "")
	if status.RerunOf == nil || *status.RerunOf != first.ID {
		t.Errorf("it is a rerun of %v", status.RerunOf)
	}
	if old, _ := call[api.Execution](w, 200, "GET", "/execute/status/"+string(first.ID), ""); old.RerunOf != nil {
		t.Errorf("the first one is a rerun of %v", *old.RerunOf)
	}
}

func TestARerunNeedsNoBodyAndTakesAKey(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	first := w.run("x")
	plain, _ := call[api.Started](w, 202, "POST", "/execute/rerun/"+string(first), "")
	if !slices.Equal(w.store.recs[plain.ID].Spec.Args, w.store.recs[first].Spec.Args) {
		t.Errorf("%+v", w.store.recs[plain.ID].Spec)
	}
	change := api.StartRequest{Args: []string{}, Queue: "low"}
	one, err := c.Rerun(t.Context(), first, change, "k")
	if err != nil {
		t.Fatal(err)
	}
	two, err := c.Rerun(t.Context(), first, change, "k")
	if err != nil || two.ID != one.ID {
		t.Errorf("%+v, %v: the same key is the same execution", two, err)
	}
	if s := w.store.recs[one.ID].Spec; len(s.Args) != 0 || s.Queue != "low" || s.Command != "python" {
		t.Errorf("%+v", s)
	}
	w.problem(http.StatusConflict, "POST", "/execute/rerun/"+string(first), `{}`, "Idempotency-Key", "k")
	w.problem(http.StatusConflict, "POST", "/execute/rerun/"+string(one.ID), `{"args":[],"queue":"low"}`, "Idempotency-Key", "k") // the same spec, of another one
	got, err := c.Spec(t.Context(), one.ID)
	if err != nil || got.Queue != "low" || got.Command != "python" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestABadRerunIsRefusedAsABadStartIs(t *testing.T) {
	w := newWorld(t)
	id := string(w.begin())
	for body, at := range map[string]string{
		`{"command":"nope"}`: "command", `{"timeout_seconds":7201}`: "timeout_seconds", `{"comand":"x"}`: "comand", `{"engine":"agent","command":"python"}`: "command",
	} {
		if p, _ := w.problem(http.StatusUnprocessableEntity, "POST", "/execute/rerun/"+id, body); !located(p, at) {
			t.Errorf("%s: %+v", body, p)
		}
	}
	w.problem(http.StatusForbidden, "POST", "/execute/rerun/"+id, `{"command":"rm"}`)
	w.problem(http.StatusBadRequest, "POST", "/execute/rerun/"+id, `{`)
	for _, route := range []string{"GET /execute/spec/", "POST /execute/rerun/"} {
		method, path, _ := strings.Cut(route, " ")
		w.problem(http.StatusNotFound, method, path+"exec_1762548673499_vqx7d3cpo", "")
		w.problem(http.StatusUnauthorized, method, path+id, "", "Authorization", "")
		token, _ := call[api.StreamToken](w, 200, "POST", "/execute/stream-token/"+id, "")
		w.problem(http.StatusUnauthorized, method, path+id+"?token="+token.Token, "", "Authorization", "")
	}
	w.store.full = execution.Errorf(execution.QueueFull, "full (the setting MAX_QUEUE_SIZE)")
	w.problem(http.StatusTooManyRequests, "POST", "/execute/rerun/"+id, "")
}
