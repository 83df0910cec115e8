package config

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// environment looks for the variable, its other names, and for a secret the
// file that NAME_FILE names.
func (l *loader) environment(s *setting) (text string) {
	for _, name := range append([]string{s.name}, s.aliases...) {
		if text = l.lookup(name); text != "" {
			break
		}
	}
	file := s.name + "_FILE"
	path := l.lookup(file)
	if !s.secret || path == "" {
		return text
	}
	if l.lookup(s.name) != "" {
		l.problem("%s and %s are both set: keep one of them, such as %s=/run/secrets/%s", s.name, file, file, s.key())
		return text
	}
	data, err := os.ReadFile(path)
	if err != nil {
		l.problem("%s names a file that cannot be read (%v): it must be one such as %s=/run/secrets/%s", file, err, file, s.key())
		return ""
	}
	if strings.TrimSpace(string(data)) == "" {
		l.problem("%s names a file that is empty: it must hold the value, such as %s", file, s.example)
	}
	return strings.TrimSpace(string(data))
}

// plain writes what YAML made of a value back as text: 8080, or a list.
func plain(v any) string {
	items, ok := v.([]any)
	if !ok {
		if v == nil {
			return ""
		}
		return strings.TrimSpace(fmt.Sprint(v))
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = fmt.Sprint(item)
	}
	return strings.Join(texts, ",")
}

// defaultWorkerName differs between replicas and between two workers of a host.
func defaultWorkerName() string {
	name, err := os.Hostname()
	if err != nil || !nameForm.MatchString(name) {
		name = "worker"
	}
	return fmt.Sprintf("%.80s-%d", name, os.Getpid())
}

// railwayEnvironment is set for everything that runs on Railway.
const railwayEnvironment = "RAILWAY_ENVIRONMENT_ID"

// Railway kills this many seconds after SIGTERM, and says so in this variable.
const railwayDraining = "RAILWAY_DEPLOYMENT_DRAINING_SECONDS"

// drainMargin is what is left of the platform's time for the last writes.
const drainMargin = 5 * time.Second

func (l *loader) defaultDrain() string {
	s := l.lookup(railwayDraining)
	if s == "" {
		return "25s" // platforms commonly wait 30
	}
	d, err := ParseDuration(s)
	if err != nil {
		l.problem("%s must be a whole number of seconds, such as %s=30", railwayDraining, railwayDraining)
		return "25s"
	}
	return max(d-drainMargin, time.Second).String()
}
