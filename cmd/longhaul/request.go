package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// request is what flags say of an execution to start.
type request struct {
	api.StartRequest
	params, input  string
	param, env     []string
	timeout, delay time.Duration
}

func (r *request) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.params, "params", "", "the engine's parameters, as JSON")
	f.StringArrayVar(&r.param, "param", nil, "one of them, such as time_period=month (repeatable)")
	f.StringVar(&r.input, "input", "", "JSON for the engine's stdin; @FILE reads it from a file, @- from our stdin")
	f.StringArrayVarP(&r.env, "env", "e", nil, "an environment variable, NAME=VALUE, or NAME for what it is here (repeatable)")
	f.DurationVar(&r.timeout, "timeout", 0, "how long it may run, such as 90m")
	f.DurationVar(&r.delay, "delay", 0, "how long it shall not start yet, such as 10m")
	f.StringVar(&r.Queue, "queue", "", "the line to stand in: critical, default or low")
	f.StringToStringVar(&r.Labels, "label", nil, "a label, such as team=research (repeatable)")
	f.StringVar(&r.OnInterrupt, "on-interrupt", "", "when its worker is lost or told to stop: fail, or requeue to run it again")
	f.IntVar(&r.MaxAttempts, "max-attempts", 0, "how often it may run, with --on-interrupt requeue")
	words := map[string][]string{"queue": execution.Queues, "on-interrupt": {"fail", "requeue"}}
	for name, list := range words {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)) // fails only without such a flag
	}
}

// fill makes the request of what the flags said. kinds is asked for the types
// of an engine's parameters, when one is given by --param.
func (r *request) fill(stdin io.Reader, kinds func() (map[string]string, error)) (err error) {
	if r.TimeoutSeconds, err = wholeSeconds("--timeout", r.timeout); err != nil {
		return err
	}
	if r.DelaySeconds, err = wholeSeconds("--delay", r.delay); err != nil {
		return err
	}
	if err := r.fillEnv(); err != nil {
		return err
	}
	if err := r.fillInput(stdin); err != nil {
		return err
	}
	return r.fillParams(kinds)
}

func wholeSeconds(flag string, d time.Duration) (int64, error) {
	if d%time.Second != 0 || d < 0 {
		return 0, fmt.Errorf("%s takes whole seconds, such as 90s or 2h", flag)
	}
	return int64(d / time.Second), nil
}

func (r *request) fillEnv() error {
	for _, e := range r.env {
		name, value, given := strings.Cut(e, "=")
		if !given {
			if value, given = os.LookupEnv(name); !given {
				return fmt.Errorf("--env %s: there is no such variable here; give NAME=VALUE", name)
			}
		}
		if r.Env == nil {
			r.Env = map[string]string{}
		}
		r.Env[name] = value
	}
	return nil
}

func (r *request) fillInput(stdin io.Reader) error {
	text := []byte(r.input)
	var err error
	switch name, isFile := strings.CutPrefix(r.input, "@"); {
	case r.input == "":
		return nil
	case isFile && name == "-":
		text, err = io.ReadAll(stdin)
	case isFile:
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return fmt.Errorf("--input: %w", err)
	}
	if !json.Valid(text) {
		return errors.New(`--input is no JSON: it looks like {"question":"why"}, or "a text" with its quotes`)
	}
	r.Input = text
	return nil
}

// fillParams puts each --param over --params. A value is text where the engine
// says so or where it is no JSON, so that quotes are never needed.
func (r *request) fillParams(kinds func() (map[string]string, error)) error {
	if r.params != "" {
		r.Params = json.RawMessage(r.params)
	}
	all := map[string]any{}
	if len(r.Params) > 0 {
		if err := json.Unmarshal(r.Params, &all); err != nil || all == nil {
			return errors.New(`--params is no JSON object: it looks like {"time_period":"week"}`)
		}
	}
	if len(r.param) == 0 {
		return nil
	}
	types, err := kinds()
	if err != nil {
		return err
	}
	for _, p := range r.param {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return fmt.Errorf("--param %s: it looks like name=value", p)
		}
		all[name] = value
		if types[name] != "string" && json.Valid([]byte(value)) {
			all[name] = json.RawMessage(value)
		}
	}
	r.Params, err = json.Marshal(all)
	return err
}

// kindsOf gives the JSON type of each parameter of an engine, where its schema
// has one.
func kindsOf(engines *api.Engines, name string) map[string]string {
	kinds := map[string]string{}
	for _, e := range engines.Engines {
		var schema struct {
			Properties map[string]struct {
				Type any   `json:"type"`
				Enum []any `json:"enum"`
			} `json:"properties"`
		}
		if e.Name != name || e.Kind != "engine" || json.Unmarshal(e.Params, &schema) != nil {
			continue
		}
		for param, p := range schema.Properties {
			kinds[param], _ = p.Type.(string)
			if len(p.Enum) > 0 {
				if _, text := p.Enum[0].(string); text {
					kinds[param] = "string"
				}
			}
		}
	}
	return kinds
}
