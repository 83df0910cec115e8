package engine

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Description is what a caller may know about an engine or a command: how to
// ask for it, never its environment, secrets or place on the worker's disk.
type Description struct {
	Name        string          `json:"name"`
	Kind        string          `json:"kind"` // "engine" or "command": the field of a request that takes the name
	Description string          `json:"description,omitempty"`
	Params      json.RawMessage `json:"params,omitempty"` // JSON Schema, properties in the order of a form
	AllowsArgs  bool            `json:"allows_args"`      // extra args are taken, any or by pattern
	TakesInput  bool            `json:"takes_input"`      // input goes to stdin
	Env         []string        `json:"env,omitempty"`    // names that a request may set
	Warm        bool            `json:"warm"`             // processes of it are kept ready
	Defaults    Defaults        `json:"defaults"`
}

// Defaults hold where a request says nothing; zero is the service's own default.
type Defaults struct {
	TimeoutSeconds    int64                 `json:"timeout_seconds,omitempty"`
	MaxTimeoutSeconds int64                 `json:"max_timeout_seconds,omitempty"`
	Queue             string                `json:"queue,omitempty"`
	MaxAttempts       int                   `json:"max_attempts,omitempty"`
	OnInterrupt       execution.OnInterrupt `json:"on_interrupt,omitempty"`
}

// Public describes the catalog to callers: engines, then commands, by name.
func (c *Catalog) Public() []Description {
	list := make([]Description, 0, len(c.engines)+len(c.commands))
	for _, name := range slices.Sorted(maps.Keys(c.engines)) {
		list = append(list, c.engines[name].public("engine"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.commands)) {
		list = append(list, c.commands[name].public("command"))
	}
	return list
}

func (e *entry) public(kind string) Description {
	d := Description{
		Name: e.name, Kind: kind, Description: e.description,
		AllowsArgs: e.anyArgs || len(e.allow) > 0,
		TakesInput: e.paramsTo != paramsToStdin,
		Env:        append([]string(nil), e.envFromRequest...),
		Warm:       e.warm != nil,
		Defaults: Defaults{
			TimeoutSeconds:    int64(cmp.Or(e.timeout, e.maxTimeout) / time.Second),
			MaxTimeoutSeconds: int64(e.maxTimeout / time.Second),
			Queue:             e.queue, MaxAttempts: e.maxAttempts, OnInterrupt: e.onInterrupt,
		},
	}
	if e.params != nil {
		d.Params = append(json.RawMessage(nil), e.params.raw...)
	}
	return d
}
