package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// Where a configuration file is looked for: LONGHAUL_CONFIG names it, else this one if it is there.
const (
	fileSetting = "LONGHAUL_CONFIG"
	defaultFile = "longhaul.yaml"
)

// Error is everything that is wrong with the settings, one sentence each.
type Error struct{ Problems []string }

// Error implements error.
func (e *Error) Error() string { return "configuration:\n  " + strings.Join(e.Problems, "\n  ") }

// Load reads the settings of a role: from the environment first, then the
// file, then the default. lookup is os.LookupEnv, or a test's own. An empty
// variable is one that is not set, as platforms mean it. The error is an *Error
// with all problems.
func Load(lookup func(string) (string, bool), role Role) (*Config, error) {
	l := &loader{config: &Config{role: role}, viper: viper.NewWithOptions(), lookup: func(name string) string {
		s, _ := lookup(name)
		return strings.TrimSpace(s)
	}}
	l.readFile()
	for _, s := range settings {
		if s.roles&role != 0 {
			l.read(s)
		}
	}
	l.together()
	if l.problems != nil {
		return nil, &Error{l.problems}
	}
	return l.config, nil
}

type loader struct {
	config   *Config
	viper    *viper.Viper
	lookup   func(string) string
	problems []string
}

func (l *loader) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// readFile gives the file to viper. viper lower-cases keys, so a file may
// write PORT or port; what is in it and no setting is a mistake of spelling.
func (l *loader) readFile() {
	path := l.lookup(fileSetting)
	if path == "" {
		path = defaultFile
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	l.viper.SetConfigFile(path)
	l.viper.SetConfigType("yaml")
	if err := l.viper.ReadInConfig(); err != nil {
		l.problem("%s cannot be read: %v; it is YAML with one setting a line, such as port: 8080 (%s says which file)", path, err, fileSetting)
		return
	}
	for _, key := range l.viper.AllKeys() {
		if !slices.ContainsFunc(settings, func(s *setting) bool { return s.key() == key }) {
			l.problem("%s in %s is not a setting; docs/configuration.md lists them, such as max_concurrent", key, path)
		}
	}
	slices.Sort(l.problems)
}

// read finds one setting and parses it.
func (l *loader) read(s *setting) {
	l.viper.SetDefault(s.key(), l.defaultOf(s))
	source := fromDefault
	if l.viper.InConfig(s.key()) {
		source = fromFile
	}
	if text := l.environment(s); text != "" {
		l.viper.Set(s.key(), text) // above file and default
		source = fromEnvironment
	}
	v := value{setting: s, text: plain(l.viper.Get(s.key())), source: source}
	if v.text == "" {
		v.source = fromDefault
	} else if err := s.parse(l.config, v.text); err != nil {
		is := ""
		if !s.secret {
			is = fmt.Sprintf(" is %q in the %s: it", v.text, v.source)
		}
		l.problem("%s%s %v, such as %s=%s", s.name, is, err, s.name, s.example)
	}
	l.config.values = append(l.config.values, v)
}

// defaultOf is the table's default, or what the surroundings make of it.
func (l *loader) defaultOf(s *setting) string {
	switch {
	case s.name == "HOST" && l.config.role == Dev:
		return "127.0.0.1"
	case s.name == "WORKER_PORT" && l.config.role == Worker && l.lookup(railwayEnvironment) != "":
		return l.lookup("PORT")
	case s.name == "WORKER_NAME":
		return defaultWorkerName()
	case s.name == "WORKDIR":
		return filepath.Join(os.TempDir(), "longhaul")
	case s.name == "DRAIN_TIMEOUT":
		return l.defaultDrain()
	}
	return s.def
}
