package execution

import "time"

// Worker is a replica that runs attempts, as it tells of itself every few seconds.
type Worker struct {
	Name      string    `json:"worker"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	Slots     int       `json:"slots"` // attempts at once
	Queues    []string  `json:"queues"`
	Draining  bool      `json:"draining"` // takes nothing new

	SeenAt  time.Time `json:"-"` // when it told last, by Redis' clock
	Running []ID      `json:"-"` // what it has, by the records, oldest first
}
