package engine

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
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
	for _, name := range slices.Sorted(maps.Keys(e.env)) {
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
