package engine

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// builder turns the file's entries into checked ones.
type builder struct {
	dir      string
	defaults *defaultsFile
	problems *Problems
}

func (b *builder) engine(name string, f *entryFile) *entry {
	key := "engines." + name
	if len(name) > 63 || !engineName.MatchString(name) {
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
	b.warm(e, f.Warm)
	return e
}

func (b *builder) command(name string, f *rawCommand) *entry {
	key := "commands." + name
	if len(name) > 255 || !commandName.MatchString(name) {
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
		seen: new(seen),
		key:  key, name: name, description: strings.TrimSpace(f.Description),
		env: f.Env, envFromRequest: f.EnvFromRequest, envFromWorker: f.EnvFromWorker, secrets: f.Secrets,
		timeout:    time.Duration(cmp.Or(f.Timeout, d.Timeout)),
		maxTimeout: time.Duration(cmp.Or(f.MaxTimeout, d.MaxTimeout)),
		grace:      time.Duration(cmp.Or(f.Grace, d.Grace)),
		stalled:    time.Duration(cmp.Or(f.Stalled, d.Stalled)),
		progress:   time.Duration(cmp.Or(f.Progress, d.Progress)),
		queue:      cmp.Or(f.Queue, d.Queue), maxAttempts: cmp.Or(f.MaxAttempts, d.MaxAttempts),
		onInterrupt: execution.OnInterrupt(cmp.Or(f.OnInterrupt, d.OnInterrupt)),
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
	whole := map[string]seconds{"timeout": f.Timeout, "max_timeout": f.MaxTimeout}
	if f.Limits != nil {
		whole["limits.cpu_seconds"] = f.Limits.CPUSeconds
	}
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		if whole[name]%seconds(time.Second) != 0 {
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
		OpenFiles:    cmp.Or(own.OpenFiles, def.OpenFiles),
		FileSize:     uint64(cmp.Or(own.FileSize, def.FileSize)),
		AddressSpace: uint64(cmp.Or(own.AddressSpace, def.AddressSpace)),
		CPUSeconds:   uint64(time.Duration(cmp.Or(own.CPUSeconds, def.CPUSeconds)) / time.Second),
		Processes:    cmp.Or(own.Processes, def.Processes),
	}
}
