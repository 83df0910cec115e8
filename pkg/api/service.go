package api

// Health is the answer to GET /health, exactly {"status":"ok"}.
type Health struct {
	Status string `json:"status" example:"ok"`
}

// Ready is the answer to GET /ready: with 200 when ready or degraded, else 503.
type Ready struct {
	Status string  `json:"status" enum:"ready,degraded,draining,not_ready" example:"ready"`
	Checks []Check `json:"checks" nullable:"false"`
}

// Check is one thing that the server depends on.
type Check struct {
	Name   string `json:"name" example:"redis"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty" doc:"What is wrong" example:"Redis cannot be reached (the setting REDIS_URL); try again soon"`
	Since  *Time  `json:"since" format:"date-time" doc:"Since when it has been so"`
}

// Version is the answer to GET /version.
type Version struct {
	Version string `json:"version" example:"1.0.0"`
}
