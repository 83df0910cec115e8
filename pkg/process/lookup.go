package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lookup finds the file to execute as execvp(3) would in the engine's place: with the engine's PATH and from the engine's directory.
// os/exec.LookPath would use the worker's, which the engine must not depend on.
// A path with a slash is left as it is: execve itself says best what is wrong with it.
func (c *Command) lookup() (string, error) {
	if c.Path == "" {
		return "", syscall.ENOENT
	}
	if strings.Contains(c.Path, "/") {
		return c.Path, nil
	}
	refused := syscall.ENOENT
	for _, dir := range filepath.SplitList(c.getenv("PATH")) {
		if dir == "" {
			dir = "." // POSIX: an empty entry is the working directory
		}
		file := dir + "/" + c.Path
		err := executable(c.inDir(file))
		if err == nil {
			return file, nil
		}
		if errors.Is(err, syscall.EACCES) {
			refused = syscall.EACCES // like execvp: go on, but say so if nothing better is found
		}
	}
	return "", refused
}

// inDir is where a path of the engine's lies for the worker.
func (c *Command) inDir(path string) string {
	if filepath.IsAbs(path) || c.Dir == "" {
		return path
	}
	return filepath.Join(c.Dir, path)
}

func executable(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return syscall.ENOENT
	case info.IsDir():
		return syscall.ENOENT // a directory on PATH is no candidate, as in execvp
	case unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS) != nil:
		return syscall.EACCES
	}
	return nil
}
