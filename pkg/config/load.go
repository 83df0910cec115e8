package config

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
	case s.name == "WORKER_NAME":
		return defaultWorkerName()
	case s.name == "WORKDIR":
		return filepath.Join(os.TempDir(), "longhaul")
	case s.name == "DRAIN_TIMEOUT":
		return l.defaultDrain()
	}
	return s.def
}

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

// together checks what settings say to each other.
func (l *loader) together() {
	c := l.config
	if c.role&API != 0 {
		l.tokens()
	}
	if c.DrainTimeout <= c.CancelGrace && l.problems == nil {
		c.Warnings = append(c.Warnings, fmt.Sprintf("DRAIN_TIMEOUT (%s) is not longer than CANCEL_GRACE (%s): at a deploy engines are killed before their grace is over; raise DRAIN_TIMEOUT and the time the platform waits", show(c.DrainTimeout), show(c.CancelGrace)))
	}
	if l.lookup("RAILWAY_ENVIRONMENT_ID") != "" && l.lookup(railwayDraining) == "" {
		c.Warnings = append(c.Warnings, "Railway kills at once at a deploy unless "+railwayDraining+" is set: set drainingSeconds to 30 in the service's settings")
	}
}

func (l *loader) tokens() {
	c := l.config
	if len(c.APITokens) == 0 && !loopback(c.Host) {
		l.problem("API_TOKENS is missing: the API would be open to everyone who reaches it; set it, such as API_TOKENS=%s, or listen on this machine only with HOST=127.0.0.1", "a-long-random-text")
	}
	for _, t := range c.APITokens {
		if len(t) < minSecret && c.role != Dev {
			l.problem("API_TOKENS holds a token shorter than %d characters, which can be guessed: make one with `openssl rand -base64 24`", minSecret)
			break
		}
	}
	if len(c.StreamTokenSecret) == 0 {
		c.StreamTokenSecret = deriveSecret(c.APITokens)
	}
}

// deriveSecret is the same on all replicas. Who holds an API token may read
// every stream anyway, so the secret gives away nothing more. Without tokens
// there is one process only, and randomness will do.
func deriveSecret(tokens []string) []byte {
	if len(tokens) == 0 {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails, as crypto/rand says
		return key
	}
	tokens = slices.Sorted(slices.Values(tokens))
	mac := hmac.New(sha256.New, []byte(strings.Join(tokens, "\n")))
	mac.Write([]byte("longhaul stream token"))
	return mac.Sum(nil)
}
