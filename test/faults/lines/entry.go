package lines

import "time"

// Entry is one line of the journal that engines keep where no fault reaches.
type Entry struct {
	ID      string    `json:"id"`
	Attempt int       `json:"attempt"`
	PID     int       `json:"pid"`
	What    string    `json:"what"` // start, step, overlap, end
	At      time.Time `json:"at"`
	Out     int       `json:"out"` // lines written whole
	Err     int       `json:"err"`
	Size    int       `json:"size"`           // bytes of a line
	Step    int       `json:"step,omitempty"` // over all attempts
	Why     string    `json:"why,omitempty"`
}
