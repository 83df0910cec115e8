package execution

// ReturnCode is the exit code as a shell would give it: the engine's own, or
// 128 + n after signal number n; nil where no process ran.
func (o *Outcome) ReturnCode() *int {
	if o == nil {
		return nil
	}
	if n, ok := signalNumbers[o.Signal]; ok && o.ExitCode == nil {
		code := 128 + n
		return &code
	}
	return o.ExitCode
}

// signalNumbers are Linux' on every architecture that Go runs on but MIPS; kept
// here so that a client on another system reads them the same way.
var signalNumbers = map[string]int{
	"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7, "SIGFPE": 8,
	"SIGKILL": 9, "SIGUSR1": 10, "SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13, "SIGALRM": 14, "SIGTERM": 15,
	"SIGSTKFLT": 16, "SIGXCPU": 24, "SIGXFSZ": 25, "SIGVTALRM": 26, "SIGPROF": 27, "SIGIO": 29, "SIGPWR": 30, "SIGSYS": 31,
}
