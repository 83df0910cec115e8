package process

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// envExecutionID names the variable by which what is left of a killed shim is found.
const envExecutionID = "EXECUTION_ID"

// Command is what to run. Nothing in it goes through a shell, and nothing of the worker's own environment is added to it.
type Command struct {
	ExecutionID string   // Env must hold EXECUTION_ID=<this>: the last net, should the shim be killed
	Path        string   // absolute, relative to Dir, or a bare name that is looked up in Env's PATH
	Args        []string // without argv[0], which is Path as given
	Env         []string // the engine's whole environment, in this order
	Dir         string   // working directory; "" is the worker's own
	Stdin       []byte   // then end-of-file; nil is /dev/null
	Limits      Limits

	// Ready is a process that has loaded the program already and waits for the rest of this. It is used up, whatever comes of the start;
	// where it has died meanwhile, the program is started as it is without one, and [Process.Cold] tells.
	Ready *Ready

	// Warm is the name under which a caller may look for a Ready; a Pool takes no notice of it.
	Warm string
	// Cold is why that one found none; [Process.Cold] gives it back.
	Cold string

	template bool // see [Template]
}

// Limits are resource limits, soft and hard, that hold from the engine's first instruction; 0 leaves a limit as the worker
// has it, and one above the worker's own hard limit is lowered to that. Core dumps are always off.
type Limits struct {
	OpenFiles    uint64 // RLIMIT_NOFILE
	FileSize     uint64 // RLIMIT_FSIZE, bytes
	AddressSpace uint64 // RLIMIT_AS, bytes
	CPUSeconds   uint64 // RLIMIT_CPU: SIGXCPU, and SIGKILL one second later
	Processes    uint64 // RLIMIT_NPROC: counted over all of the user's processes, and not for root
}

func (l Limits) any() bool { return l != Limits{} }

// check refuses what execve(2) cannot carry, and a process that could not be found again.
func (c *Command) check() *StartError {
	if !slices.Contains(c.Env, envExecutionID+"="+c.ExecutionID) || c.ExecutionID == "" {
		return &StartError{Op: "check", Path: c.Path, Err: fmt.Errorf(
			"the environment lacks %s=%q, by which a lost process is found: %w", envExecutionID, c.ExecutionID, syscall.EINVAL)}
	}
	nul := func(s string) bool { return strings.IndexByte(s, 0) >= 0 }
	if nul(c.Path) || nul(c.Dir) || slices.ContainsFunc(c.Args, nul) || slices.ContainsFunc(c.Env, nul) {
		return &StartError{Op: "check", Path: c.Path, Err: fmt.Errorf("a NUL byte in path, directory, arguments or environment: %w", syscall.EINVAL)}
	}
	return nil
}

// getenv is the last value of a variable in the command's own environment, as getenv(3) of most programs sees it.
func (c *Command) getenv(name string) string {
	for _, entry := range slices.Backward(c.Env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
