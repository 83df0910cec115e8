package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Where an engine's params go besides, or instead of, its args template.
const (
	paramsToArgs  = "args"  // the template alone
	paramsToStdin = "stdin" // one JSON object, then EOF
	paramsToEnv   = "env"   // one JSON object in the variable PARAMS
)

// params checks the schema, and that every param has a way to the engine.
func (b *builder) params(e *entry, f *entryFile) {
	e.template, e.paramsTo = f.Args, cmp.Or(f.ParamsTo, paramsToArgs)
	if e.paramsTo != paramsToArgs && e.paramsTo != paramsToStdin && e.paramsTo != paramsToEnv {
		b.problems.add(e.key+".params_to", "must be args (the default), stdin or env")
	}
	var schema struct {
		Type       any                        `json:"type"`
		Required   []string                   `json:"required"`
		Additional any                        `json:"additionalProperties"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if f.Params != nil {
		if err := json.Unmarshal(f.Params, &schema); err != nil {
			b.problems.add(e.key+".params", "is not a JSON Schema of an object: properties must be a mapping, required a list")
			return
		}
		if schema.Type != nil && schema.Type != "object" {
			b.problems.add(e.key+".params.type", "must be object: params are named")
			return
		}
		p, err := compileParams(f.Params, schema.Type == nil, schema.Additional == nil)
		if err != nil {
			b.problems.add(e.key+".params", "is not a valid JSON Schema: "+err.Error())
			return
		}
		e.params = p
		if open := schema.Additional != nil && schema.Additional != false; open && e.paramsTo == paramsToArgs {
			b.problems.add(e.key+".params.additionalProperties", "lets params in that have no place in args: leave it out, or set params_to")
		}
	}
	certain := map[string]bool{}
	for _, name := range schema.Required {
		certain[name] = true
	}
	known := map[string]bool{}
	for name := range schema.Properties {
		known[name] = true
		if e.params.defaults[name] != nil {
			certain[name] = true
		}
	}
	b.places(e, known, certain)
}

// places compares the template with the schema in both directions.
func (b *builder) places(e *entry, known, certain map[string]bool) {
	placed := map[string]bool{}
	used(e.template, nil, func(name string, line int, must bool) {
		placed[name] = true
		switch {
		case name == itemParam && !must && !known[name]:
		case !known[name]:
			b.problems.addAt(line, e.key+".args", fmt.Sprintf("names the param %s, which params does not describe", name))
		case must && !certain[name]:
			b.problems.addAt(line, e.key+".args", fmt.Sprintf("uses {%[1]s}, which a request may leave out: write {if: %[1]s, args: [...]}, give it a default, or list it under required", name))
		}
	})
	if e.paramsTo != paramsToArgs || b.problems.partial {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !placed[name] {
			b.problems.add(e.key+".params.properties."+name, "has no place in args: add {"+name+"} to the template, or set params_to: stdin or env")
		}
	}
}
