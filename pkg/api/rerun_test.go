package api_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// full has every field but those of an engine.
func full() execution.Spec {
	return execution.Spec{
		Command: "python", Args: []string{"main.py"}, Input: json.RawMessage(`{"a":1}`), Env: map[string]string{"KEY": "hunter2", "LANG": "C"},
		TimeoutSeconds: 60, DelaySeconds: 5, QueueTimeoutSeconds: 7, Queue: "low", Labels: map[string]string{"team": "red"},
		MaxAttempts: 2, OnInterrupt: execution.Requeue, WebhookURL: "https://example.com/token",
	}
}

func TestTheSpecOfAnExecutionShowsNoValueThatMayBeSecret(t *testing.T) {
	old := full()
	got := api.StartRequestOf(&old)
	want := api.StartRequest{
		Command: "python", Args: []string{"main.py"}, Input: json.RawMessage(`{"a":1}`), Env: map[string]string{"KEY": "***", "LANG": "***"},
		TimeoutSeconds: 60, QueueTimeoutSeconds: 7, Queue: "low", Labels: map[string]string{"team": "red"},
		MaxAttempts: 2, OnInterrupt: "requeue", WebhookURL: "***",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if again := got.Over(&old); !reflect.DeepEqual(again, sooner(old)) {
		t.Errorf("sent back as it came it is %+v", again)
	}
}

// sooner is a spec without its delay.
func sooner(s execution.Spec) execution.Spec {
	s.DelaySeconds = 0
	return s
}

func TestFieldsOfARerunReplaceThoseOfTheOldOne(t *testing.T) {
	engine := execution.Spec{Engine: "agent", Params: json.RawMessage(`{"q":1}`), Args: []string{"-v"}, MaxAttempts: 1, OnInterrupt: execution.Fail}
	for name, tt := range map[string]struct {
		body string
		old  execution.Spec
		want func(s *execution.Spec)
	}{
		"nothing":         {`{}`, full(), func(*execution.Spec) {}},
		"other arguments": {`{"args":["a","b"]}`, full(), func(s *execution.Spec) { s.Args = []string{"a", "b"} }},
		"no arguments":    {`{"args":[]}`, full(), func(s *execution.Spec) { s.Args = []string{} }},
		"another command": {`{"command":"node"}`, full(), func(s *execution.Spec) { s.Command = "node" }},
		"an engine": {`{"engine":"agent","params":{}}`, full(), func(s *execution.Spec) {
			s.Command, s.Args, s.Engine, s.Params = "", nil, "agent", json.RawMessage(`{}`)
		}},
		"a command":           {`{"command":"python"}`, engine, func(s *execution.Spec) { s.Command, s.Engine, s.Params, s.Args = "python", "", nil, nil }},
		"other params":        {`{"params":{"q":2}}`, engine, func(s *execution.Spec) { s.Params = json.RawMessage(`{"q":2}`) }},
		"both, to be refused": {`{"command":"x","engine":"y"}`, engine, func(s *execution.Spec) { s.Command, s.Engine, s.Params, s.Args = "x", "y", nil, nil }},
		"other environment":   {`{"env":{"KEY":"***","NEW":"1"}}`, full(), func(s *execution.Spec) { s.Env = map[string]string{"KEY": "hunter2", "NEW": "1"} }},
		"no environment":      {`{"env":{}}`, full(), func(s *execution.Spec) { s.Env = map[string]string{} }},
		"no labels":           {`{"labels":{}}`, full(), func(s *execution.Spec) { s.Labels = map[string]string{} }},
		"numbers":             {`{"timeout_seconds":9,"queue_timeout_seconds":8,"delay_seconds":3}`, full(), func(s *execution.Spec) { s.TimeoutSeconds, s.QueueTimeoutSeconds, s.DelaySeconds = 9, 8, 3 }},
		"words":               {`{"queue":"critical","webhook_url":"https://b"}`, full(), func(s *execution.Spec) { s.Queue, s.WebhookURL = "critical", "https://b" }},
		"input":               {`{"input":[2]}`, full(), func(s *execution.Spec) { s.Input = json.RawMessage(`[2]`) }},
		"never twice":         {`{"on_interrupt":"fail"}`, full(), func(s *execution.Spec) { s.OnInterrupt, s.MaxAttempts = execution.Fail, 0 }},
		"attempts and policy": {`{"on_interrupt":"requeue","max_attempts":5}`, engine, func(s *execution.Spec) { s.OnInterrupt, s.MaxAttempts = execution.Requeue, 5 }},
	} {
		var r api.StartRequest
		if err := json.Unmarshal([]byte(tt.body), &r); err != nil {
			t.Fatal(err)
		}
		want := sooner(tt.old)
		tt.want(&want)
		if got := r.Over(&tt.old); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}
