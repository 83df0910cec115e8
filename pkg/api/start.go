package api

import (
	"encoding/json"

	"github.com/longhaul/longhaul/pkg/execution"
)

// StartRequest is the body of POST /execute/start and POST /execute: either a
// command with args, or an engine with params.
type StartRequest struct {
	Command string            `json:"command,omitempty" doc:"A program that the catalog allows" example:"python"`
	Args    []string          `json:"args,omitzero" doc:"Its arguments, a list of strings; nothing goes through a shell" example:"[\"src/main.py\",\"voice-of-customer\",\"--multi-agent\"]"`
	Engine  string            `json:"engine,omitempty" doc:"An engine of the catalog, instead of command" example:"agent"`
	Params  json.RawMessage   `json:"params,omitempty" doc:"The engine's parameters, an object; GET /engines has their JSON Schema"`
	Input   json.RawMessage   `json:"input,omitempty" doc:"Any JSON; the engine reads it on stdin"`
	Env     map[string]string `json:"env,omitzero" doc:"Environment variables that the catalog lets a request set"`

	Files []execution.File `json:"files,omitempty" doc:"Only told (GET /execute/spec/{id}): files come with a request as parts of multipart/form-data"`

	TimeoutSeconds      int64             `json:"timeout_seconds,omitempty" doc:"How long the engine may run; the largest is MAX_EXECUTION_DURATION, also the default unless the catalog has another" example:"3600"`
	QueueTimeoutSeconds int64             `json:"queue_timeout_seconds,omitempty" doc:"How long it may wait in line; then it ends as timeout with the reason queue_timeout" example:"600"`
	DelaySeconds        int64             `json:"delay_seconds,omitempty" doc:"Do not start before this many seconds have passed" example:"60"`
	Queue               string            `json:"queue,omitempty" doc:"The line to stand in: critical, default or low" example:"default"`
	Labels              map[string]string `json:"labels,omitzero" doc:"Words of yours to find it by in GET /execute/list"`
	MaxAttempts         int               `json:"max_attempts,omitempty" doc:"How often it may run when on_interrupt is requeue" example:"3"`
	OnInterrupt         string            `json:"on_interrupt,omitempty" doc:"When its worker is lost or told to stop: fail (it never runs twice) or requeue (it runs again)" example:"fail"`
	WebhookURL          string            `json:"webhook_url,omitempty" doc:"Gets a signed POST when the execution has ended" example:"https://example.com/hooks/longhaul"`
}

// Spec is the request in the vocabulary of package execution.
func (r *StartRequest) Spec() execution.Spec {
	return execution.Spec{
		Command: r.Command, Args: r.Args,
		Engine: r.Engine, Params: r.Params, Input: r.Input, Env: r.Env,
		TimeoutSeconds: r.TimeoutSeconds, DelaySeconds: r.DelaySeconds, QueueTimeoutSeconds: r.QueueTimeoutSeconds,
		Queue: r.Queue, Labels: r.Labels, MaxAttempts: r.MaxAttempts,
		OnInterrupt: execution.OnInterrupt(r.OnInterrupt), WebhookURL: r.WebhookURL,
	}
}

// Started is the answer to POST /execute/start.
type Started struct {
	ID            execution.ID     `json:"execution_id" example:"exec_1762548673499_vqx7d3cpo"`
	Status        execution.Status `json:"status" enum:"queued,running,completed,failed,timeout,cancelled,error" example:"queued"`
	QueuePosition *int             `json:"queue_position" doc:"Executions before it in line; null unless queued" example:"0"`
	Message       string           `json:"message" example:"Execution started in background"`
	Links         Links            `json:"links"`
	StreamToken   string           `json:"stream_token" doc:"Reads this one execution for a while, as ?token= where a header cannot be set (EventSource)"`
}

// Links are the paths of one execution, relative to the server.
type Links struct {
	Status string `json:"status" example:"/execute/status/exec_1762548673499_vqx7d3cpo"`
	Output string `json:"output" example:"/execute/output/exec_1762548673499_vqx7d3cpo"`
	Stream string `json:"stream" example:"/execute/stream/exec_1762548673499_vqx7d3cpo"`
	Cancel string `json:"cancel" example:"/execute/cancel/exec_1762548673499_vqx7d3cpo"`
}

// LinksOf gives the paths of id.
func LinksOf(id execution.ID) Links {
	return Links{
		Status: "/execute/status/" + string(id),
		Output: "/execute/output/" + string(id),
		Stream: "/execute/stream/" + string(id),
		Cancel: "/execute/cancel/" + string(id),
	}
}

// StreamToken is the answer to POST /execute/stream-token/{id}.
type StreamToken struct {
	Token     string `json:"stream_token" doc:"Reads this one execution, as ?token="`
	ExpiresAt Time   `json:"expires_at" format:"date-time" example:"2025-01-07T21:11:13.499Z"`
}
