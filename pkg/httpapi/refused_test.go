package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

const secret = "s3cr3t-value"

func TestABadStartIsRefusedWithThePlaceAndTheSettingToChange(t *testing.T) {
	w := newWorld(t)
	many := `"` + strings.Repeat(`x","`, 300) + `"`
	for _, tt := range []struct {
		name, body string
		status     int
		code       execution.Code
		at, says   string
	}{
		{"unknown engine", `{"engine":"nope"}`, 422, "invalid", "engine", "catalog"},
		{"unknown command", `{"command":"nope"}`, 422, "invalid", "command", "catalog"},
		{"forbidden command", `{"command":"rm"}`, 403, "forbidden", "", "engines.yaml"},
		{"neither engine nor command", `{}`, 422, "invalid", "command", "is missing"},
		{"both", `{"command":"python","engine":"agent"}`, 422, "invalid", "command", "exclude"},
		{"args is a string", `{"command":"python","args":"-v s3cr3t-value"}`, 422, "invalid", "args", "list of strings"},
		{"args holds a number", `{"command":"python","args":["a",1]}`, 422, "invalid", "args[1]", "list of strings"},
		{"args holds NUL", `{"command":"python","args":["a","b\u0000c"]}`, 422, "invalid", "args[1]", "NUL"},
		{"too many args", `{"command":"python","args":[` + many + `]}`, 422, "invalid", "args", "at most 256"},
		{"timeout above the maximum", `{"command":"python","timeout_seconds":7201}`, 422, "invalid", "timeout_seconds", "MAX_EXECUTION_DURATION"},
		{"negative timeout", `{"command":"python","timeout_seconds":-1}`, 422, "invalid", "timeout_seconds", "between"},
		{"half a second", `{"command":"python","timeout_seconds":0.5}`, 422, "invalid", "timeout_seconds", "whole number"},
		{"timeout as text", `{"command":"python","timeout_seconds":"60"}`, 422, "invalid", "timeout_seconds", "whole number"},
		{"a timeout without end", `{"command":"python","timeout_seconds":1e30}`, 422, "invalid", "timeout_seconds", "whole number"},
		{"a delay beyond 64 bits", `{"command":"python","delay_seconds":9223372036854775808}`, 422, "invalid", "delay_seconds", "whole number"},
		{"negative delay", `{"command":"python","delay_seconds":-5}`, 422, "invalid", "delay_seconds", "between"},
		{"unknown queue", `{"command":"python","queue":"vip"}`, 422, "invalid", "queue", "critical, default, low"},
		{"unknown field", `{"command":"python","comand":"x","env":{"KEY":"s3cr3t-value"}}`, 422, "invalid", "comand", "no field"},
		{"labels of numbers", `{"command":"python","labels":{"team":1}}`, 422, "invalid", "labels.team", "string"},
		{"a bad label", `{"command":"python","labels":{"Team!":"x"}}`, 422, "invalid", "labels", "key"},
		{"attempts without requeue", `{"command":"python","max_attempts":3}`, 422, "invalid", "max_attempts", "requeue"},
		{"bad on_interrupt", `{"command":"python","on_interrupt":"again"}`, 422, "invalid", "on_interrupt", "fail or requeue"},
		{"bad env name", `{"command":"python","env":{"1X":"s3cr3t-value"}}`, 422, "invalid", "env", "variable name"},
		{"private webhook", `{"command":"python","webhook_url":"http://10.0.0.1/"}`, 422, "invalid", "webhook_url", "private"},
		{"a list as body", `["python"]`, 422, "invalid", "body", "object"},
		{"malformed JSON", `{"command":"python","env":{"KEY":"s3cr3t-value"`, 400, "malformed", "", "not JSON"},
		{"no body", ``, 400, "malformed", "", "missing"},
		{"too large", `{"command":"python","args":["` + strings.Repeat("x", 5000) + `"]}`, 413, "too_large", "", "MAX_REQUEST_BYTES"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			p, _ := w.problem(tt.status, "POST", "/execute/start", tt.body)
			if p.Code != tt.code {
				t.Errorf("code is %s, want %s: %+v", p.Code, tt.code, p)
			}
			text, _ := json.Marshal(p)
			if !strings.Contains(string(text), tt.says) {
				t.Errorf("nothing says %q: %s", tt.says, text)
			}
			if strings.Contains(string(text), secret) {
				t.Errorf("the problem repeats a value: %s", text)
			}
			if tt.at != "" && !located(p, tt.at) {
				t.Errorf("no error is at %s: %+v", tt.at, p.Errors)
			}
		})
	}
}

func located(p api.Problem, at string) bool {
	for _, f := range p.Errors {
		if f.Location == at {
			return true
		}
	}
	return false
}

func TestAllProblemsOfARequestAreToldAtOnce(t *testing.T) {
	w := newWorld(t)
	p, _ := w.problem(422, "POST", "/execute/start", `{"command":"nope","timeout_seconds":-1,"queue":"vip"}`)
	for _, at := range []string{"command", "queue", "timeout_seconds"} {
		if !located(p, at) {
			t.Errorf("nothing is said about %s: %+v", at, p.Errors)
		}
	}
}

func TestARequestOfAWrongFormIsAProblemToo(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	for _, tt := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     execution.Code
		says                     string
	}{
		{"content type", "POST", "/execute/start", `command=python`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", "application/json"},
		{"long idempotency key", "POST", "/execute/start", `{"command":"python"}`, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 422, "invalid", "255"},
		{"no such route", "GET", "/executes", "", nil, 404, "not_found", "/openapi.json"},
		{"no such method", "DELETE", "/execute/list", "", nil, 405, "method_not_allowed", "DELETE"},
		{"no such id", "GET", "/execute/status/exec_1762548673499_vqx7d3cpo", "", nil, 404, "not_found", "RETENTION"},
		{"no id at all", "GET", "/execute/status/17", "", nil, 404, "not_found", "exec_"},
		{"no such id to stop", "POST", "/execute/cancel/exec_1762548673499_vqx7d3cpo", "", nil, 404, "not_found", "7 days"},
		{"no such id to stream", "GET", "/execute/stream/exec_1762548673499_vqx7d3cpo", "", nil, 404, "not_found", "RETENTION"},
		{"cursor no number", "GET", "/execute/stream/" + string(id) + "?after=x", "", nil, 422, "invalid", "number of an event"},
		{"negative cursor", "GET", "/execute/output/" + string(id) + "?after=-1", "", nil, 422, "invalid", "number of an event"},
		{"output cursor from the future", "GET", "/execute/output/" + string(id) + "?after=9", "", nil, 422, "invalid", "newest event has the number 1"},
		{"text cursor from the future", "GET", "/execute/output/" + string(id) + "?format=text&after=9", "", nil, 422, "invalid", "newest event has the number 1"},
		{"status cursor from the future", "GET", "/execute/status/" + string(id) + "?wait=1s&after=9", "", nil, 422, "invalid", "newest event has the number 1"},
		{"cursor from the future", "GET", "/execute/stream/" + string(id) + "?after=9", "", nil, 422, "invalid", "newest event has the number 1"},
		{"Last-Event-ID from the future", "GET", "/execute/stream/" + string(id), "", []string{"Last-Event-ID", "9"}, 422, "invalid", "Last-Event-ID"},
		{"bad wait", "GET", "/execute/status/" + string(id) + "?wait=soon", "", nil, 422, "invalid", "duration"},
		{"bad limit", "GET", "/execute/output/" + string(id) + "?limit=0", "", nil, 422, "invalid", "1 to 10000"},
		{"bad stream", "GET", "/execute/output/" + string(id) + "?stream=stdin", "", nil, 422, "invalid", "stdout or stderr"},
		{"bad format", "GET", "/execute/output/" + string(id) + "?format=xml", "", nil, 422, "invalid", "ndjson"},
		{"bad tail", "GET", "/execute/output/" + string(id) + "?format=text&tail=x", "", nil, 422, "invalid", "tail"},
		{"bad follow", "GET", "/execute/output/" + string(id) + "?follow=maybe", "", nil, 422, "invalid", "follow"},
		{"bad list limit", "GET", "/execute/list?limit=201", "", nil, 422, "invalid", "1 to 200"},
		{"bad list until", "GET", "/execute/list?until=noon", "", nil, 422, "invalid", "RFC 3339"},
		{"a search for too much", "GET", "/execute/list?q=" + strings.Repeat("x", 201), "", nil, 422, "invalid", "200"},
		{"bad list status", "GET", "/execute/list?status=done", "", nil, 422, "invalid", "queued"},
		{"bad since", "GET", "/execute/list?since=yesterday", "", nil, 422, "invalid", "RFC 3339"},
		{"bad label", "GET", "/execute/list?label=team", "", nil, 422, "invalid", "key:value"},
		{"one label twice", "GET", "/execute/list?label=team:a&label=team:b", "", nil, 422, "invalid", "twice"},
		{"bad list cursor", "GET", "/execute/list?cursor=x", "", nil, 422, "invalid", "next_cursor"},
		{"bad query args", "GET", "/execute?command=python&args=%5B1", "", nil, 422, "invalid", "JSON list"},
		{"bad query params", "GET", "/execute?engine=agent&params=%7B", "", nil, 422, "invalid", "JSON"},
		{"bad on_disconnect", "POST", "/execute?on_disconnect=die", `{"command":"python"}`, nil, 422, "invalid", "continue"},
		{"an agent's payload is no object", "POST", "/agent/run", `[1]`, nil, 422, "invalid", "object"},
		{"an agent's payload is no JSON", "POST", "/agent/run", `{`, nil, 400, "malformed", "not JSON"},
		{"no such problem", "GET", "/problems/nope", "", nil, 404, "not_found", "/problems"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			p, _ := w.problem(tt.status, tt.method, tt.path, tt.body, tt.headers...)
			text, _ := json.Marshal(p)
			if p.Code != tt.code || !strings.Contains(string(text), tt.says) {
				t.Errorf("want code %s and %q: %s", tt.code, tt.says, text)
			}
		})
	}
}

func TestTroubleBehindTheServerHasItsOwnCodes(t *testing.T) {
	for _, tt := range []struct {
		code   execution.Code
		status int
		retry  string
	}{
		{execution.Unavailable, 503, "5"},
		{execution.StorageFull, 503, "30"},
		{execution.QueueFull, 429, "10"},
	} {
		w := newWorld(t)
		w.store.full = execution.Errorf(tt.code, "as the store says")
		p, header := w.problem(tt.status, "POST", "/execute/start", `{"command":"python"}`)
		if p.Code != tt.code || header.Get("Retry-After") != tt.retry || p.Detail != "as the store says" {
			t.Errorf("%s: Retry-After %q, %+v", tt.code, header.Get("Retry-After"), p)
		}
	}
}

func TestEveryRouteSaysThatRedisIsAway(t *testing.T) {
	w := newWorld(t)
	id := string(w.run("x"))
	w.store.setFail(execution.Errorf(execution.Unavailable, "Redis cannot be reached (the setting REDIS_URL)"))
	for _, route := range []string{
		"GET /execute/status/" + id, "GET /execute/output/" + id, "GET /execute/stream/" + id, "GET /execute/list",
		"POST /execute/cancel/" + id, "POST /execute/stream-token/" + id, "GET /outputs/" + id, "GET /execute?command=python",
	} {
		method, path, _ := strings.Cut(route, " ")
		p, header := w.problem(503, method, path, "")
		if p.Code != execution.Unavailable || header.Get("Retry-After") == "" {
			t.Errorf("%s: %+v", route, p)
		}
	}
}

func TestADefectIsAnInternalErrorThatTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.store.setFail(http.ErrBodyNotAllowed)
	p, _ := w.problem(500, "GET", "/execute/list", "")
	if text, _ := json.Marshal(p); p.Code != execution.Internal || strings.Contains(string(text), http.ErrBodyNotAllowed.Error()) {
		t.Errorf("problem is %s", text)
	}
}

func TestAnIdempotencyKeyStartsOneExecution(t *testing.T) {
	w := newWorld(t)
	body := `{"command":"python","args":["a"]}`
	first, _ := call[api.Started](w, 202, "POST", "/execute/start", body, "Idempotency-Key", "k1")
	again, header := call[api.Started](w, 202, "POST", "/execute/start", body, "Idempotency-Key", "k1")
	if again.ID != first.ID || header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the repeated request gave %s, not %s; headers %v", again.ID, first.ID, header)
	}
	p, _ := w.problem(409, "POST", "/execute/start", `{"command":"python","args":["b"]}`, "Idempotency-Key", "k1")
	if p.Code != execution.IdempotencyUsed {
		t.Errorf("code is %s", p.Code)
	}
	other, _ := call[api.Started](w, 202, "POST", "/execute/start", body, "Idempotency-Key", "k1", "Authorization", "Bearer another")
	if other.ID == first.ID {
		t.Error("another caller's key met this one's execution")
	}
}

func TestARepeatOfAnEndedExecutionHasNoPlaceInLine(t *testing.T) {
	w := newWorld(t)
	started, _ := call[api.Started](w, 202, "POST", "/execute/start", `{"command":"python"}`, "Idempotency-Key", "k")
	w.store.start(started.ID)
	w.store.finish(started.ID)
	again, _ := call[api.Started](w, 202, "POST", "/execute/start", `{"command":"python"}`, "Idempotency-Key", "k")
	if again.Status != execution.Completed || again.QueuePosition != nil {
		t.Errorf("the repeat says %+v", again)
	}
}

type panicking struct{ catalog }

func (panicking) Complete(*execution.Spec) error { panic("a defect with s3cr3t-value") }

func TestAPanicIsAProblemAndTheServerGoesOn(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.Catalog = panicking{} })
	p, _ := w.problem(500, "POST", "/execute/start", `{"command":"python"}`)
	if text, _ := json.Marshal(p); p.Code != execution.Internal || strings.Contains(string(text), secret) {
		t.Errorf("problem is %s", text)
	}
	call[api.List](w, 200, "GET", "/execute/list", "")
}
