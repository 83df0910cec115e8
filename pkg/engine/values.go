package engine

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The types below decode one YAML value each. They report with wrong(), which
// lets the decoder go on and gather the problems that follow. None of them may
// call node.Decode into a struct: that forgets KnownFields.

func wrong(n *yaml.Node, format string, args ...any) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: ", n.Line) + fmt.Sprintf(format, args...)}}
}

// seconds is a duration: an integer of seconds or Go's form, "2h" or "90s".
type seconds time.Duration

func (s *seconds) UnmarshalYAML(n *yaml.Node) error {
	var whole int64
	if n.ShortTag() == "!!int" && n.Decode(&whole) == nil && whole >= 0 && whole <= maxSeconds {
		*s = seconds(time.Duration(whole) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || d < 0 || d > maxSeconds*time.Second {
		return wrong(n, "must be a duration such as 90s, 30m or 2h, or a whole number of seconds")
	}
	*s = seconds(d)
	return nil
}

// maxSeconds is a year: anything longer is a typing error.
const maxSeconds = 366 * 24 * 3600

// size is a number of bytes: an integer, or one with KiB, MiB or GiB.
type size uint64

var sizeForm = regexp.MustCompile(`^([0-9]{1,10}) ?(KiB|MiB|GiB)$`)

func (s *size) UnmarshalYAML(n *yaml.Node) error {
	var whole uint64
	if n.ShortTag() == "!!int" && n.Decode(&whole) == nil {
		*s = size(whole)
		return nil
	}
	m := sizeForm.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || m == nil {
		return wrong(n, "must be a size such as 512MiB or 2GiB, or a whole number of bytes")
	}
	_, _ = fmt.Sscan(m[1], &whole) // the pattern admits digits only
	*s = size(whole << map[string]int{"KiB": 10, "MiB": 20, "GiB": 30}[m[2]])
	return nil
}

// argv is a command as a list.
type argv []string

func (a *argv) UnmarshalYAML(n *yaml.Node) error {
	list, ok := stringList(n)
	if !ok || len(list) == 0 {
		return wrong(n, "must be a list of strings such as [python3, src/main.py]: nothing goes through a shell")
	}
	*a = list
	return nil
}

// patterns are regular expressions, each for a whole argument; the word "any" takes every argument.
type patterns struct {
	any  bool
	list []*regexp.Regexp
}

func (p *patterns) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.Value == "any" {
		p.any = true
		return nil
	}
	list, ok := stringList(n)
	if !ok {
		return wrong(n, "must be the word any, or a list of regular expressions such as ['--verbose', '--days=[0-9]+']")
	}
	var bad []string
	for i, s := range list {
		re, err := regexp.Compile(`\A(?:` + s + `)\z`)
		if err != nil {
			bad = append(bad, fmt.Sprintf("line %d: item %d is not a regular expression (RE2): %v", n.Line, i+1, err))
			continue
		}
		p.list = append(p.list, re)
	}
	if bad != nil {
		return &yaml.TypeError{Errors: bad}
	}
	return nil
}

func stringList(n *yaml.Node) ([]string, bool) {
	if n.Kind != yaml.SequenceNode {
		return nil, false
	}
	list := make([]string, 0, len(n.Content))
	for _, c := range n.Content {
		if c.Kind == yaml.AliasNode {
			c = c.Alias
		}
		if c.Kind != yaml.ScalarNode || c.ShortTag() == "!!null" || strings.ContainsRune(c.Value, 0) {
			return nil, false
		}
		list = append(list, c.Value)
	}
	return list, true
}
