package api

import "github.com/longhaul/longhaul/pkg/execution"

// Workers is the answer to GET /workers.
type Workers struct {
	Workers []Worker `json:"workers" nullable:"false" doc:"By name"`
}

// Worker is one process that runs executions. Who stops is gone from the list at
// once; who is lost stays for 75 seconds, with an old last_seen_at.
type Worker struct {
	Worker     string         `json:"worker" doc:"Its name, as executions show it (the setting WORKER_NAME)" example:"worker-1"`
	Version    string         `json:"version" example:"v1.2.0"`
	StartedAt  Time           `json:"started_at" format:"date-time"`
	LastSeenAt Time           `json:"last_seen_at" format:"date-time" doc:"It says that it lives every 5 seconds"`
	Slots      int            `json:"slots" doc:"How many it runs at once (the setting MAX_CONCURRENT)" example:"5"`
	Running    int            `json:"running" doc:"How many it runs now" example:"2"`
	Draining   bool           `json:"draining" doc:"It was told to stop, and only finishes what it has"`
	Queues     []string       `json:"queues" nullable:"false" doc:"That it takes from" example:"[\"default\"]"`
	Executions []execution.ID `json:"executions" nullable:"false" doc:"What it runs, oldest first"`
}
