package engine

import (
	"bytes"
	"encoding/json"

	"go.yaml.in/yaml/v3"
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
