package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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
	candidates := []string{name}
	if name == "python" {
		candidates = append(candidates, "python3") // Debian and its images have no plain python
	}
	for _, candidate := range candidates {
		for _, dir := range filepath.SplitList(path) {
			if file := filepath.Join(dir, candidate); filepath.IsAbs(dir) && executable(file) == nil {
				return file, nil
			}
		}
	}
	return "", e.broken("the program "+name+" is not on this worker's PATH: install it, or set PATH under "+e.key+".env in engines.yaml", nil)
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
