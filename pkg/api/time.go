package api

import (
	"encoding/json"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Time is an instant as every body shows it: RFC 3339 in UTC, always with three
// digits of milliseconds, so that instants sort as text.
type Time struct{ time.Time }

// MarshalJSON writes execution.TimeFormat.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.UTC().Format(execution.TimeFormat))
}

// TimePtr is nil for the zero time, which bodies show as null.
func TimePtr(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}
