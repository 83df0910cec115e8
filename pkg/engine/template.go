package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// part is one item of an args template, in one of three forms:
//
//	"--days={days}"                        one argument
//	{if: verbose, args: ["--verbose"]}     arguments that depend on a param
//	{each: tags, args: ["--tag", "{item}"]}  arguments repeated for each item of a list
type part struct {
	text  []piece // of a single argument
	when  string  // if: a param
	each  string  // each: a param
	parts []part  // args of if and each
	line  int
}

// piece is a literal, or the value of a param.
type piece struct {
	literal string
	param   string
}

// itemParam is how the args of each call the current item.
const itemParam = "item"

type templateNode []part

func (t *templateNode) UnmarshalYAML(n *yaml.Node) error {
	parts, problems := parseParts(n, 0)
	if problems != nil {
		return &yaml.TypeError{Errors: problems}
	}
	*t = parts
	return nil
}

const partForms = `must be a list of strings, {if: param, args: [...]} or {each: param, args: [...]}`

func parseParts(n *yaml.Node, depth int) (parts []part, problems []string) {
	bad := func(n *yaml.Node, message string) {
		problems = append(problems, fmt.Sprintf("line %d: %s", n.Line, message))
	}
	if n.Kind != yaml.SequenceNode || depth > 4 {
		bad(n, "args "+partForms)
		return nil, problems
	}
	for _, c := range n.Content {
		switch {
		case c.Kind == yaml.ScalarNode && c.ShortTag() != "!!null":
			text, err := parseText(c.Value)
			if err != "" {
				bad(c, err)
			}
			parts = append(parts, part{text: text, line: c.Line})
		case c.Kind == yaml.MappingNode:
			p, more := parseConditional(c, depth)
			parts, problems = append(parts, p), append(problems, more...)
		default:
			bad(c, "args "+partForms)
		}
	}
	return parts, problems
}

func parseConditional(n *yaml.Node, depth int) (p part, problems []string) {
	p.line = n.Line
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Value == "if" && value.Kind == yaml.ScalarNode:
			p.when = value.Value
		case key.Value == "each" && value.Kind == yaml.ScalarNode:
			p.each = value.Value
		case key.Value == "args":
			var more []string
			p.parts, more = parseParts(value, depth+1)
			problems = append(problems, more...)
		default:
			problems = append(problems, fmt.Sprintf("line %d: %s does not belong here: args %s", key.Line, key.Value, partForms))
		}
	}
	if (p.when == "") == (p.each == "") || len(p.parts) == 0 {
		problems = append(problems, fmt.Sprintf("line %d: needs one of if and each, and args: %s", n.Line, partForms))
	}
	return p, problems
}

// parseText splits "--days={days}"; doubled braces are braces.
func parseText(s string) (pieces []piece, problem string) {
	var literal strings.Builder
	for s != "" {
		switch {
		case strings.HasPrefix(s, "{{"), strings.HasPrefix(s, "}}"):
			literal.WriteByte(s[0])
			s = s[2:]
		case s[0] == '{':
			name, rest, ok := strings.Cut(s[1:], "}")
			if !ok || name == "" || strings.Contains(name, "{") {
				return nil, "holds a { that is not the start of a {param}: write {{ for a brace"
			}
			pieces = append(pieces, piece{literal: literal.String()}, piece{param: name})
			literal.Reset()
			s = rest
		case s[0] == '}':
			return nil, "holds a } without a {: write }} for a brace"
		case s[0] == 0:
			return nil, "holds a NUL byte, which no process can take"
		default:
			literal.WriteByte(s[0])
			s = s[1:]
		}
	}
	return append(pieces, piece{literal: literal.String()}), ""
}

// used calls see for each param that the template mentions. certain is false
// inside of an if or each on the same param, where the param may be absent.
func used(parts []part, given map[string]bool, see func(name string, line int, certain bool)) {
	for _, p := range parts {
		for _, t := range p.text {
			if t.param != "" {
				see(t.param, p.line, !given[t.param])
			}
		}
		inner := given
		for _, name := range []string{p.when, p.each} {
			if name == "" {
				continue
			}
			see(name, p.line, false)
			inner = map[string]bool{name: true, itemParam: p.each != "" || given[itemParam]}
			for k, v := range given {
				inner[k] = inner[k] || v
			}
		}
		used(p.parts, inner, see)
	}
}

// render appends the arguments that parts make of values.
func render(args []string, parts []part, values map[string]any) []string {
	for _, p := range parts {
		switch {
		case p.when != "":
			if truthy(values[p.when]) {
				args = render(args, p.parts, values)
			}
		case p.each != "":
			list, _ := values[p.each].([]any)
			for _, item := range list {
				inner := map[string]any{}
				for k, v := range values {
					inner[k] = v
				}
				inner[itemParam] = item
				args = render(args, p.parts, inner)
			}
		default:
			var b strings.Builder
			for _, t := range p.text {
				b.WriteString(t.literal)
				if t.param != "" {
					b.WriteString(text(values[t.param]))
				}
			}
			args = append(args, b.String())
		}
	}
	return args
}

// truthy is what if asks: given, and not false, null, "" or [].
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	}
	return true
}

// text is a value as an argument: a string as it is, all else as JSON.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil { // values come from JSON, so they go back to it
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}
