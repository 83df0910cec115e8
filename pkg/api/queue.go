package api

// QueueStats is the answer to GET /queue/stats. Every number stands at a plain
// path, such as wanted_replicas or queues.default.depth, for scalers that read one.
type QueueStats struct {
	Depth            int64   `json:"depth" doc:"Executions that wait for a worker" example:"12"`
	Delayed          int64   `json:"delayed" doc:"Executions that may not run yet: delay_seconds, or the pause before another attempt" example:"0"`
	OldestAgeSeconds float64 `json:"oldest_age_seconds" doc:"How long the first in line has waited since it may run; 0 when none waits" example:"4.2"`
	Running          int64   `json:"running" example:"8"`

	ThroughputPerMinute float64  `json:"throughput_per_minute" doc:"Executions that have run and ended a minute, over the last five minutes at most" example:"6.5"`
	ExpectedWaitSeconds *float64 `json:"expected_wait_seconds" doc:"How long one that came now would wait, by what waits and the throughput: 0 with a free slot and nobody before it, null when unknown" example:"110"`

	Workers  int   `json:"workers" doc:"Live workers that take work from these queues; one that was killed counts for ten seconds more" example:"2"`
	Draining int   `json:"draining" doc:"Workers that only finish what they have" example:"0"`
	Capacity int64 `json:"capacity" doc:"Slots of workers: what can run at once" example:"10"`

	SlotsPerWorker int `json:"slots_per_worker" doc:"What wanted_replicas is computed with: slots, else the fewest of any live worker, else 5" example:"5"`
	MinReplicas    int `json:"min_replicas" example:"1"`
	MaxReplicas    int `json:"max_replicas" example:"50"`
	WantedReplicas int `json:"wanted_replicas" doc:"(depth + running) / slots_per_worker, rounded up, from min_replicas to max_replicas, and never less than what runs needs" example:"4"`

	Queues map[string]QueueLine `json:"queues" nullable:"false" doc:"The same of each queue"`
}

// QueueLine is one queue of QueueStats.
type QueueLine struct {
	Depth            int64   `json:"depth" example:"12"`
	Delayed          int64   `json:"delayed" example:"0"`
	OldestAgeSeconds float64 `json:"oldest_age_seconds" example:"4.2"`
	Running          int64   `json:"running" example:"8"`

	ThroughputPerMinute float64  `json:"throughput_per_minute" example:"6.5"`
	ExpectedWaitSeconds *float64 `json:"expected_wait_seconds" example:"110"`

	Capacity int64 `json:"capacity" doc:"Slots of workers that take from it, among others" example:"10"`
}
