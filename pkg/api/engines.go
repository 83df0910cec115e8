package api

import (
	"encoding/json"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Engines is the answer to GET /engines.
type Engines struct {
	Engines []Engine `json:"engines" nullable:"false"`
}

// Engine is one entry of the catalog, as far as callers may see it.
type Engine struct {
	Name        string          `json:"name" example:"agent"`
	Kind        string          `json:"kind" enum:"engine,command" doc:"The field of a request that takes the name"`
	Description string          `json:"description"`
	Params      json.RawMessage `json:"params" doc:"JSON Schema of its params, or null"`
	AllowsArgs  bool            `json:"allows_args" doc:"A request may add arguments; the catalog says which"`
	TakesInput  bool            `json:"takes_input" doc:"input goes to its stdin"`
	Env         []string        `json:"env" nullable:"false" doc:"Variables that a request may set"`
	Warm        bool            `json:"warm" doc:"Processes of it are kept that have imported already"`
	Defaults    EngineDefaults  `json:"defaults"`
}

// EngineDefaults hold where a request says nothing; what is not there is the
// service's own default.
type EngineDefaults struct {
	TimeoutSeconds    int64                 `json:"timeout_seconds,omitempty" example:"3600"`
	MaxTimeoutSeconds int64                 `json:"max_timeout_seconds,omitempty" example:"7200"`
	Queue             string                `json:"queue,omitempty" example:"default"`
	MaxAttempts       int                   `json:"max_attempts,omitempty" example:"1"`
	OnInterrupt       execution.OnInterrupt `json:"on_interrupt,omitempty" example:"fail"`
}
