package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// message is the body: Standard Webhooks' type, timestamp and data.
type message struct {
	Type      string `json:"type"` // execution.completed, .failed, .timeout, .cancelled or .error
	Timestamp string `json:"timestamp"`
	Data      data   `json:"data"`
}

// data is enough to decide whether to ask for more. Result and output are
// asked for with a token, not sent to whoever has the URL.
type data struct {
	ExecutionID string            `json:"execution_id"`
	Name        string            `json:"name"` // the engine, or the command
	Status      execution.Status  `json:"status"`
	Reason      execution.Reason  `json:"reason"`
	Message     string            `json:"error_message,omitempty"`
	ExitCode    *int              `json:"exit_code"`
	Signal      string            `json:"signal,omitempty"`
	Attempt     int               `json:"attempt"`
	Artifacts   int               `json:"artifacts"`
	Labels      map[string]string `json:"labels,omitempty"`
	CreatedAt   string            `json:"created_at"`
	StartedAt   *string           `json:"started_at"`
	CompletedAt *string           `json:"completed_at"`
	Seconds     float64           `json:"duration_seconds"`
}

// For makes the first delivery about an execution that has ended. Its id
// depends on the execution alone, so making it twice sends it once.
func For(r *execution.Record) (Delivery, error) {
	if r.Outcome == nil || r.Spec.WebhookURL == "" {
		return Delivery{}, fmt.Errorf("webhook for %s: it has not ended, or has no webhook_url", r.ID)
	}
	o := r.Outcome
	body, err := json.Marshal(message{
		Type: "execution." + string(o.Status), Timestamp: r.EndedAt.UTC().Format(execution.TimeFormat),
		Data: data{
			ExecutionID: string(r.ID), Name: r.Spec.Name(), Status: o.Status, Reason: o.Reason, Message: o.Message,
			ExitCode: o.ExitCode, Signal: o.Signal, Attempt: o.Attempt, Artifacts: o.Artifacts, Labels: r.Spec.Labels,
			CreatedAt: r.CreatedAt.UTC().Format(execution.TimeFormat), StartedAt: instant(r.StartedAt), CompletedAt: instant(r.EndedAt),
			Seconds: r.Duration(r.EndedAt).Seconds(),
		},
	})
	if err != nil {
		return Delivery{}, fmt.Errorf("webhook for %s: %w", r.ID, err)
	}
	return Delivery{ID: idPrefix + string(r.ID), URL: r.Spec.WebhookURL, Body: body, Attempt: 1}, nil
}

// idPrefix makes an execution's id the id of its message: there is one each.
const idPrefix = "msg_"

// ExecutionOf is the execution that the delivery called id tells of.
func ExecutionOf(id string) execution.ID { return execution.ID(strings.TrimPrefix(id, idPrefix)) }

func instant(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(execution.TimeFormat)
	return &s
}
