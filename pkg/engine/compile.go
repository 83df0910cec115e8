package engine

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

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
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if p := s.Properties[name]; p != nil && p.Validate(defaults[name]) != nil {
			return "the default of " + name + " does not fit its own schema"
		}
	}
	return ""
}
