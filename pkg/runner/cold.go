package runner

import (
	"context"
	"encoding/json"

	"github.com/longhaul/longhaul/pkg/execution"
)

// tellCold says why an engine that is kept warm was not: whoever waits for its
// first line wants to know.
func (a *attempt) tellCold(ctx context.Context) {
	why := a.process.Cold()
	if why == "" {
		return
	}
	a.log.InfoContext(ctx, "engine started cold", "engine", a.spec.Name(), "why", why)
	data, err := json.Marshal(map[string]string{"message": a.redactor.RedactString(why)})
	if err == nil {
		err = a.writer.Emit(execution.Event{Type: execution.EventColdStart, Data: data})
	}
	if err != nil {
		a.log.WarnContext(ctx, "cold start not announced", "error", err)
	}
}
