package engine

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/longhaul/longhaul/pkg/execution"
)

// environ gives the engine's variables; later ones win over earlier ones.
func (e *entry) environ(spec *execution.Spec, lookup func(string) (string, bool), l *Launch) (map[string]string, error) {
	env := map[string]string{"PATH": defaultPath}
	for _, name := range slices.Concat(inherited, e.envFromWorker) {
		if v, ok := lookup(name); ok {
			env[name] = v
		}
	}
	for _, v := range python {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	for name, value := range e.env {
		env[name] = value
	}
	for _, s := range e.secrets {
		value, ok, err := s.read(lookup)
		switch {
		case err != nil:
			return nil, e.broken("the secret "+s.name+" could not be read on this worker (the key "+e.key+".secrets in engines.yaml)", err)
		case !ok && !s.optional:
			return nil, e.broken("the secret "+s.name+" is not set on this worker: set it in the worker's environment, or mark it optional (the key "+e.key+".secrets in engines.yaml)", nil)
		case ok:
			env[s.name] = value
			l.Secrets = append(l.Secrets, value)
		}
	}
	for name, value := range spec.Env {
		env[name] = value
	}
	return env, nil
}

// defaultPath stands in where the worker itself has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// maxSecretBytes: an environment variable of Linux holds 128 KiB at most.
const maxSecretBytes = 64 << 10

func (s *secret) read(lookup func(string) (string, bool)) (value string, ok bool, err error) {
	if s.file == "" {
		value, ok = lookup(s.env)
		return value, ok && value != "", nil
	}
	f, err := os.Open(s.file)
	if errors.Is(err, os.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", false, err
	}
	if len(data) > maxSecretBytes || strings.ContainsRune(string(data), 0) {
		return "", false, errors.New("the file is larger than 64 KiB or holds a NUL byte")
	}
	value = strings.TrimRight(string(data), "\r\n") // editors and echo add one
	return value, value != "", nil
}
