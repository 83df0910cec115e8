package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// program finds the file to execute.
func (e *entry) program(path string) (string, error) {
	key := e.key + ".command"
	if strings.HasPrefix(e.key, "commands.") {
		key = e.key
	}
	return e.find(key, e.command[0], path)
}

// find is program for a name that stands at key. One without a slash is looked
// for on the engine's PATH, a relative path starts at its cwd.
func (e *entry) find(key, name, path string) (string, error) {
	if e.cwd != "" {
		if info, err := os.Stat(e.cwd); err != nil || !info.IsDir() {
			return "", e.broken("the folder of this engine is not there on this worker (the key "+e.key+".cwd in engines.yaml)", err)
		}
	}
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(e.cwd, name)
		}
		if err := executable(name); err != nil {
			return "", e.broken("the program of this engine is not there on this worker, or not executable (the key "+key+" in engines.yaml)", err)
		}
		return name, nil
	}
	if file := e.seen.get(name, path); file != "" {
		return file, nil
	}
	candidates := []string{name}
	if name == "python" {
		candidates = append(candidates, "python3") // Debian and its images have no plain python
	}
	for _, candidate := range candidates {
		for _, dir := range filepath.SplitList(path) {
			if file := filepath.Join(dir, candidate); filepath.IsAbs(dir) && executable(file) == nil {
				e.seen.put(name, path, file)
				return file, nil
			}
		}
	}
	return "", e.broken("the program "+name+" is not on this worker's PATH: install it, or set PATH under "+e.key+".env in engines.yaml", nil)
}

// seenFor is how long a program counts as the first of its name on PATH.
const seenFor = time.Second

// seen is where a program was found a moment ago. To ask each folder of PATH for
// it at each start would be half of all the files that a short execution asks for.
type seen struct {
	mu               sync.Mutex // guards the fields below
	name, path, file string
	until            time.Time
}

// get gives "" where it is to be looked for, also since it has gone.
func (s *seen) get(name, path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.name != name || s.path != path || time.Now().After(s.until) || executable(s.file) != nil {
		return ""
	}
	return s.file
}

func (s *seen) put(name, path, file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name, s.path, s.file, s.until = name, path, file, time.Now().Add(seenFor)
}

func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return errors.New(file + " is not an executable file")
	}
	return nil
}
