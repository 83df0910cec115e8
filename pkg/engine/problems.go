package engine

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problems is everything that is wrong with a catalog, one sentence a line.
type Problems struct {
	lines   []string
	root    *yaml.Node // to find the line of a key
	partial bool       // some values could not be read: what is missing may be there
}

// Error implements error.
func (p *Problems) Error() string { return strings.Join(p.lines, "\n") }

func (p *Problems) any() bool { return len(p.lines) > 0 }

// add reports the value at key, which is written with dots: "engines.agent.cwd".
func (p *Problems) add(key, message string) {
	place := key + " "
	if n := p.line(key); n > 0 {
		place = fmt.Sprintf("line %d: %s ", n, key)
	}
	if s := place + message; !slices.Contains(p.lines, s) {
		p.lines = append(p.lines, s)
	}
}

// line finds where a key stands, or the nearest parent that is written. Names
// may hold dots themselves, so every longest match is tried.
func (p *Problems) line(key string) int {
	if p.root == nil || len(p.root.Content) == 0 {
		return 0
	}
	node, line, rest := p.root.Content[0], 0, key
	for rest != "" && node.Kind == yaml.MappingNode {
		found := false
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i].Value
			if after, ok := strings.CutPrefix(rest, name); ok && name != "" && (after == "" || after[0] == '.') {
				line, node, rest, found = node.Content[i].Line, node.Content[i+1], strings.TrimPrefix(after, "."), true
				break
			}
		}
		if !found {
			break
		}
	}
	return line
}

// The decoder speaks of Go types; whoever writes the file does not. Compiled when
// a catalog is wrong, and not at each start.
var rewordings = []struct{ from, to string }{
	{`field (\S+) not found in type engine\.\w+`, `$1 is not a key that is known here`},
	{`field (\S+) already set in type \S+`, `$1 is given twice`},
	{`mapping key ("[^"]*") already defined at line (\d+)`, `$1 is given twice, first on line $2`},
	{"cannot unmarshal !!\\w+( `.*`)? into u?int\\d*", `must be a whole number`},
	{"cannot unmarshal !!\\w+( `.*`)? into string", `must be a text`},
	{"cannot unmarshal !!\\w+( `.*`)? into \\[\\]string", `must be a list of strings`},
	{"cannot unmarshal !!\\w+( `.*`)? into \\S+", `must be a mapping of keys to values`},
	{`^yaml: `, ``},
}

// yaml takes over what the decoder found.
func (p *Problems) yaml(err error) {
	p.partial = true
	list := []string{err.Error()}
	var several *yaml.TypeError
	if errors.As(err, &several) {
		list = slices.Clone(several.Errors)
	}
	for _, r := range rewordings {
		from := regexp.MustCompile(r.from)
		for i, s := range list {
			list[i] = from.ReplaceAllString(s, r.to)
		}
	}
	p.lines = append(p.lines, list...)
}

// addAt reports a value whose line is known better than its key.
func (p *Problems) addAt(line int, key, message string) {
	if s := fmt.Sprintf("line %d: %s %s", line, key, message); !slices.Contains(p.lines, s) {
		p.lines = append(p.lines, s)
	}
}
