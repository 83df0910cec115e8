package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/longhaul/longhaul/pkg/execution"
)

var (
	engineName  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	commandName = regexp.MustCompile(`^[A-Za-z0-9./_-]{1,255}$`)
)

// Parse reads a catalog whose relative paths start at dir. The error lists
// every problem, one a line, each with its place.
func Parse(data []byte, dir string) (*Catalog, error) {
	if !filepath.IsAbs(dir) {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		dir = abs
	}
	f, p := decode(data)
	c := &Catalog{dir: dir, engines: map[string]*entry{}, commands: map[string]*entry{}}
	b := builder{dir: dir, defaults: &f.Defaults, problems: p}
	b.settings("defaults", &f.Defaults)
	for _, name := range sortedKeys(f.Engines) {
		c.engines[name] = b.engine(name, f.Engines[name])
	}
	for _, name := range sortedKeys(f.Commands) {
		c.commands[name] = b.command(name, f.Commands[name])
	}
	if len(f.Engines)+len(f.Commands) == 0 && !p.any() {
		p.add("engines", "is empty: name at least one engine, or a command under commands")
	}
	if p.any() {
		return nil, p
	}
	return c, nil
}

// decode gives what could be read, and the problems of what could not.
func decode(data []byte) (*file, *Problems) {
	f, p := &file{}, &Problems{}
	if len(data) > maxCatalogBytes {
		p.lines = append(p.lines, "is larger than 4 MiB")
		return f, p
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		p.yaml(err)
		return f, p
	}
	p.root = &root
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		p.yaml(err)
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) && !p.any() {
		p.lines = append(p.lines, "holds a second document (a line ---): a catalog is one document")
	}
	return f, p
}

// builder turns the file's entries into checked ones.
type builder struct {
	dir      string
	defaults *defaultsFile
	problems *Problems
}

func (b *builder) engine(name string, f *entryFile) *entry {
	key := "engines." + name
	if !engineName.MatchString(name) {
		b.problems.add(key, "has a name that is not 1 to 63 of a-z, 0-9, '.', '_', '-', starting with a letter or digit")
	}
	if f == nil {
		b.problems.add(key, "is empty: give it at least a command")
		return nil
	}
	e := b.common(key, name, &f.common)
	e.command, e.anyArgs, e.allow = f.Command, f.AllowArgs.any, f.AllowArgs.list
	if len(e.command) == 0 && !b.problems.partial {
		b.problems.add(key+".command", "is missing: give the program and its first arguments as a list such as [python3, src/main.py]")
	}
	if len(e.command) > 0 {
		b.program(key+".command", e.command[0], e.cwd)
	}
	b.params(e, f)
	return e
}

func (b *builder) command(name string, f *rawCommand) *entry {
	key := "commands." + name
	if !commandName.MatchString(name) {
		b.problems.add(key, "has a name that is not 1 to 255 of letters, digits, '.', '/', '_', '-'")
	}
	if f == nil {
		f = &rawCommand{} // "sh:" alone allows the bare command, without arguments
	}
	e := b.common(key, name, &f.common)
	e.command, e.anyArgs, e.allow = []string{name}, f.Args.any, f.Args.list
	b.program(key, name, e.cwd)
	return e
}

func (b *builder) program(key, program, cwd string) {
	if program == "" {
		b.problems.add(key, "begins with an empty string instead of a program")
	}
	if strings.Contains(program, "/") && !filepath.IsAbs(program) && cwd == "" {
		b.problems.add(key, "is a relative path, which needs a cwd to be relative to: set cwd, or give an absolute path")
	}
}

func (b *builder) common(key, name string, f *common) *entry {
	b.settings(key, &f.defaultsFile)
	d := b.defaults
	e := &entry{
		key: key, name: name, description: strings.TrimSpace(f.Description),
		env: f.Env, envFromRequest: f.EnvFromRequest, envFromWorker: f.EnvFromWorker, secrets: f.Secrets,
		timeout:    time.Duration(first(f.Timeout, d.Timeout)),
		maxTimeout: time.Duration(first(f.MaxTimeout, d.MaxTimeout)),
		grace:      time.Duration(first(f.Grace, d.Grace)),
		queue:      first(f.Queue, d.Queue), maxAttempts: first(f.MaxAttempts, d.MaxAttempts),
		onInterrupt: execution.OnInterrupt(first(f.OnInterrupt, d.OnInterrupt)),
		limits:      mergeLimits(f.Limits, d.Limits),
	}
	if f.Cwd != "" {
		e.cwd = f.Cwd
		if !filepath.IsAbs(e.cwd) {
			e.cwd = filepath.Join(b.dir, e.cwd)
		}
	}
	for i := range e.secrets {
		if s := &e.secrets[i]; s.file != "" && !filepath.IsAbs(s.file) {
			s.file = filepath.Join(b.dir, s.file)
		}
	}
	if e.timeout > 0 && e.maxTimeout > 0 && e.timeout > e.maxTimeout {
		b.problems.add(key+".timeout", "is longer than max_timeout: lower the one or raise the other")
	}
	if e.maxAttempts > 1 && e.onInterrupt != execution.Requeue {
		b.problems.add(key+".max_attempts", "above 1 needs on_interrupt: requeue, since fail means that the engine never runs twice")
	}
	b.environment(e)
	return e
}

// settings checks the keys that may also stand under defaults.
func (b *builder) settings(key string, f *defaultsFile) {
	if f.Queue != "" && !slices.Contains(execution.Queues, f.Queue) {
		b.problems.add(key+".queue", "must be one of "+strings.Join(execution.Queues, ", "))
	}
	if o := execution.OnInterrupt(f.OnInterrupt); o != "" && o != execution.Fail && o != execution.Requeue {
		b.problems.add(key+".on_interrupt", "must be fail (never run twice) or requeue (run again, up to max_attempts)")
	}
	if most := execution.DefaultLimits().MaxAttempts; f.MaxAttempts < 0 || f.MaxAttempts > most {
		b.problems.add(key+".max_attempts", fmt.Sprintf("must be between 1 and %d", most))
	}
	for name, d := range map[string]seconds{"timeout": f.Timeout, "max_timeout": f.MaxTimeout} {
		if d%seconds(time.Second) != 0 {
			b.problems.add(key+"."+name, "must be whole seconds")
		}
	}
}

func mergeLimits(own, def *limitsFile) Limits {
	if own == nil {
		own = &limitsFile{}
	}
	if def == nil {
		def = &limitsFile{}
	}
	return Limits{
		OpenFiles:    first(own.OpenFiles, def.OpenFiles),
		FileSize:     uint64(first(own.FileSize, def.FileSize)),
		AddressSpace: uint64(first(own.AddressSpace, def.AddressSpace)),
		CPUSeconds:   uint64(time.Duration(first(own.CPUSeconds, def.CPUSeconds)) / time.Second),
		Processes:    first(own.Processes, def.Processes),
	}
}

// first gives a, or b where a is not set.
func first[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
