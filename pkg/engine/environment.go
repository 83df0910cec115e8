package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// inherited are the worker's own variables that every engine gets. Nothing else
// of its environment is passed on: no REDIS_URL, no token.
var inherited = []string{"PATH", "HOME", "LANG", "TZ"}

// python are the variables that every request may change, listed or not: they
// only say how a Python engine writes its output.
var python = []string{"PYTHONUNBUFFERED=1", "PYTHONIOENCODING=utf-8"}

// reserved are the names that the worker sets itself for each attempt.
func reserved(name string) bool {
	return strings.HasPrefix(name, "EXECUTION_") || name == "TRACEPARENT" || name == "TRACESTATE"
}

// takesOver lists variables with which a request could run a program of its
// own choice in place of, or inside of, the engine.
func takesOver(name string) bool {
	return strings.HasPrefix(name, "LD_") || slices.Contains([]string{
		"PATH", "HOME", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP",
		"NODE_OPTIONS", "NODE_PATH", "PERL5OPT", "PERL5LIB", "RUBYOPT", "RUBYLIB", "JAVA_TOOL_OPTIONS",
	}, name)
}

// environment checks every name under env, env_from_request, env_from_worker and secrets.
func (b *builder) environment(e *entry) {
	from := map[string]string{}
	see := func(key, name string) {
		place := e.key + "." + key
		switch {
		case !envName.MatchString(name):
			b.problems.add(place, "holds a name that is no environment variable name (letters, digits and _, not starting with a digit)")
		case reserved(name):
			b.problems.add(place, fmt.Sprintf("names %s, which the worker sets itself", name))
		case from[name] != "":
			b.problems.add(place, fmt.Sprintf("names %s, which %s names too: keep one of them", name, from[name]))
		}
		from[name] = key
	}
	for _, name := range sortedKeys(e.env) {
		see("env", name)
		if strings.ContainsRune(e.env[name], 0) {
			b.problems.add(e.key+".env", "holds a NUL byte, which no process can take")
		}
	}
	for _, s := range e.secrets {
		see("secrets", s.name)
		if s.file == "" && !envName.MatchString(s.env) {
			b.problems.add(e.key+".secrets", "takes "+s.name+" from a name that is no environment variable name")
		}
	}
	for _, name := range e.envFromWorker {
		see("env_from_worker", name)
	}
	for _, name := range e.envFromRequest {
		if takesOver(name) {
			b.problems.add(e.key+".env_from_request", fmt.Sprintf("names %s, with which a request could run a program of its own choice: set it under env instead", name))
		}
		if from[name] == "env" {
			continue // a fixed value as the default, which a request may change
		}
		see("env_from_request", name)
	}
}

// secretsNode is a list of names, or a mapping of names to where the value comes from.
type secretsNode []secret

const secretForms = "must be names such as [OPENAI_API_KEY], or NAME: {env: OTHER_NAME}, NAME: {file: path}, NAME: {optional: true}"

func (s *secretsNode) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		return s.mapping(n)
	case yaml.SequenceNode:
		for _, c := range n.Content {
			switch {
			case c.Kind == yaml.ScalarNode && c.ShortTag() == "!!str":
				*s = append(*s, secret{name: c.Value, env: c.Value})
			case c.Kind == yaml.MappingNode:
				if err := s.mapping(c); err != nil {
					return err
				}
			default:
				return wrong(c, secretForms)
			}
		}
		return nil
	}
	return wrong(n, secretForms)
}

func (s *secretsNode) mapping(n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		one := secret{name: n.Content[i].Value}
		if err := one.decode(n.Content[i+1]); err != nil {
			return err
		}
		*s = append(*s, one)
	}
	return nil
}

func (s *secret) decode(n *yaml.Node) error {
	if n.ShortTag() != "!!null" && n.Kind != yaml.MappingNode {
		return wrong(n, secretForms)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Value == "env" && value.ShortTag() == "!!str":
			s.env = value.Value
		case key.Value == "file" && value.ShortTag() == "!!str" && value.Value != "":
			s.file = value.Value
		case key.Value == "optional" && value.ShortTag() == "!!bool":
			if err := value.Decode(&s.optional); err != nil {
				return wrong(value, secretForms)
			}
		default:
			return wrong(key, "%s does not fit here: a secret %s", key.Value, secretForms)
		}
	}
	if s.env != "" && s.file != "" {
		return wrong(n, "gives the secret %s both env and file: keep one of them", s.name)
	}
	if s.env == "" && s.file == "" {
		s.env = s.name
	}
	return nil
}
