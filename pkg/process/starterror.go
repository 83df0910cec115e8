package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Errors that say which side is at fault; test with errors.Is.
var (
	ErrClosed   = errors.New("process pool is closed")
	ErrShimLost = errors.New("shim was lost")
)

// StartError says that the engine did not start, and that no process of it is left.
type StartError struct {
	Op   string // "check", "lookup", "chdir", "exec", "limit", "pipe" or "shim"
	Path string // what the step was about
	Err  error  // errors.Is finds syscall.ENOENT, EACCES, ENOEXEC, E2BIG, …
}

func (e *StartError) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Path, e.Err) }
func (e *StartError) Unwrap() error { return e.Err }

// diagnose turns the bare errno of a fork+exec into the step that gave it. The kernel does not tell a missing
// directory from a missing program from a missing interpreter: all are ENOENT, so look again, here where it costs nothing.
func (c *Command) diagnose(path string, errno syscall.Errno) *StartError {
	if c.Dir != "" {
		if info, err := os.Stat(c.Dir); err != nil {
			return &StartError{Op: "chdir", Path: c.Dir, Err: errno}
		} else if !info.IsDir() {
			return &StartError{Op: "chdir", Path: c.Dir, Err: syscall.ENOTDIR}
		}
	}
	failed := &StartError{Op: "exec", Path: path, Err: errno}
	info, err := os.Stat(c.inDir(path))
	switch {
	case errno == syscall.ENOENT && err == nil:
		failed.Err = fmt.Errorf("the file is there, its interpreter is not: %w", errno)
	case errno == syscall.EACCES && err == nil && info.IsDir():
		failed.Err = fmt.Errorf("a directory: %w", errno)
	case errno == syscall.ENOEXEC:
		failed.Err = fmt.Errorf("neither a program for this machine nor a script with #!: %w", errno)
	case errno == syscall.E2BIG:
		failed.Err = fmt.Errorf("one argument is over 128 KiB, or all with the environment over 2 MiB (pass it on stdin): %w", errno)
	}
	return failed
}
