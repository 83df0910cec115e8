package process_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestCodeAndSignalAreToldApart(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 2)
	for name, test := range map[string]struct {
		command process.Command
		code    int
		signal  syscall.Signal
	}{
		"it exits with 0":                   {command: bad(processtest.Exit, "0")},
		"it exits with 3":                   {command: bad(processtest.Exit, "3"), code: 3},
		"it exits with 137 by itself":       {command: bad(processtest.Exit, "137"), code: 137},
		"it kills itself by 9":              {command: bad(processtest.Signal, "9"), code: -1, signal: syscall.SIGKILL},
		"it ends by a segmentation fault":   {command: bad(processtest.Signal, "11"), code: -1, signal: syscall.SIGSEGV},
		"SIGPIPE has its default action":    {command: bad(processtest.Signal, "13"), code: -1, signal: syscall.SIGPIPE},
		"a shell exits with 128 and signal": {command: command("sh", "-c", "sh -c 'kill -TERM $$'"), code: 143},
	} {
		t.Run(name, func(t *testing.T) {
			before := time.Now()
			r := start(t, pool, test.command)
			exit := r.wait()
			if r.StartedAt().Before(before) || r.StartedAt().After(exit.ExitedAt) {
				t.Errorf("asked at %v, started at %v, exited at %v", before, r.StartedAt(), exit.ExitedAt)
			}
			if exit.Code != test.code || exit.Signal != test.signal {
				t.Errorf("got code %d and signal %d, want %d and %d", exit.Code, exit.Signal, test.code, test.signal)
			}
			if exit.Success() != (test.code == 0 && test.signal == 0) {
				t.Errorf("Success is %v for %v", exit.Success(), exit)
			}
			if exit.CoreDumped || exit.ShimLost || exit.Leftovers != 0 || !exit.TermSentAt.IsZero() || !exit.KillSentAt.IsZero() {
				t.Errorf("nobody stopped it, and yet: %+v", exit)
			}
			if exit.ExitedAt.IsZero() || exit.GoneAt.Before(exit.ExitedAt) {
				t.Errorf("exited at %v, gone at %v", exit.ExitedAt, exit.GoneAt)
			}
		})
	}
}

func TestAnExitSpeaks(t *testing.T) {
	t.Parallel()
	for want, exit := range map[string]process.Exit{
		"exited with 137":                          {Code: 137},
		"killed by signal 9 (killed)":              {Code: -1, Signal: syscall.SIGKILL},
		"lost its shim":                            {Code: -1, ShimLost: true},
		"killed by signal 11 (segmentation fault)": {Code: -1, Signal: syscall.SIGSEGV},
	} {
		if got := exit.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
