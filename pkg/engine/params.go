package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// Where an engine's params go besides, or instead of, its args template.
const (
	paramsToArgs  = "args"  // the template alone
	paramsToStdin = "stdin" // one JSON object, then EOF
	paramsToEnv   = "env"   // one JSON object in the variable PARAMS
)

// schemaNode is a JSON Schema as JSON, its keys in the order of the file: that
// is the order of the fields in a form.
type schemaNode json.RawMessage

func (s *schemaNode) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return wrong(n, "must be a JSON Schema: a mapping with properties")
	}
	var b bytes.Buffer
	budget := 10_000 // nodes: aliases of aliases would grow without end
	if err := writeJSON(&b, n, &budget); err != nil {
		return err
	}
	*s = b.Bytes()
	return nil
}

func writeJSON(b *bytes.Buffer, n *yaml.Node, budget *int) error {
	if *budget--; *budget < 0 {
		return wrong(n, "is too large a JSON Schema, or one that holds itself")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return writeJSON(b, n.Alias, budget)
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, c := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, c, budget); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case yaml.MappingNode:
		return writeObject(b, n, budget)
	}
	return writeScalar(b, n)
}

func writeObject(b *bytes.Buffer, n *yaml.Node, budget *int) error {
	b.WriteByte('{')
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			return wrong(key, "must be a plain key")
		}
		if seen[key.Value] {
			return wrong(key, "%s is given twice", key.Value)
		}
		seen[key.Value] = true
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(key.Value) // a string cannot fail
		b.Write(name)
		b.WriteByte(':')
		if err := writeJSON(b, n.Content[i+1], budget); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func writeScalar(b *bytes.Buffer, n *yaml.Node) error {
	var v any = n.Value // dates and binaries stay the text that they are
	switch n.ShortTag() {
	case "!!null", "!!bool", "!!int", "!!float":
		if err := n.Decode(&v); err != nil {
			return wrong(n, "cannot be written as JSON")
		}
	}
	data, err := json.Marshal(v)
	if err != nil { // .inf and .nan
		return wrong(n, "cannot be written as JSON")
	}
	b.Write(data)
	return nil
}

// params checks the schema, and that every param has a way to the engine.
func (b *builder) params(e *entry, f *entryFile) {
	e.template, e.paramsTo = f.Args, first(f.ParamsTo, paramsToArgs)
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
	for _, name := range sortedKeys(known) {
		if !placed[name] {
			b.problems.add(e.key+".params.properties."+name, "has no place in args: add {"+name+"} to the template, or set params_to: stdin or env")
		}
	}
}

// compileParams compiles raw, as an object that takes no other properties where it does not say so itself.
func compileParams(raw []byte, addType, addClosed bool) (*params, error) {
	inner := bytes.TrimSpace(raw[1 : len(raw)-1])
	extra := ""
	if addType {
		extra += `"type":"object",`
	}
	if addClosed {
		extra += `"additionalProperties":false,`
	}
	if len(inner) == 0 {
		extra = strings.TrimSuffix(extra, ",")
	}
	raw = []byte("{" + extra + string(inner) + "}")
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, plainSchemaError(err)
	}
	s, err := c.Compile(schemaURL)
	if err != nil {
		return nil, plainSchemaError(err)
	}
	p := &params{schema: s, raw: raw, defaults: map[string]any{}}
	properties, _ := doc.(map[string]any)["properties"].(map[string]any)
	for name, property := range properties {
		if m, ok := property.(map[string]any); ok && m["default"] != nil {
			p.defaults[name] = m["default"]
		}
	}
	// A default is given to every request that leaves the param out, so it must fit.
	if err := checkDefaults(s, p.defaults); err != "" {
		return nil, errors.New(err)
	}
	return p, nil
}

// schemaURL has a scheme of its own, so that a relative $ref cannot name a file.
const schemaURL = "catalog:///params"

// noLoader refuses $ref to files and to the network.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("$ref may only point inside of the same params")
}

func plainSchemaError(err error) error {
	s := strings.ReplaceAll(err.Error(), schemaURL, "")
	return errors.New(strings.Join(strings.Fields(s), " "))
}

func checkDefaults(s *jsonschema.Schema, defaults map[string]any) string {
	for _, name := range sortedKeys(defaults) {
		if p := s.Properties[name]; p != nil && p.Validate(defaults[name]) != nil {
			return "the default of " + name + " does not fit its own schema"
		}
	}
	return ""
}
