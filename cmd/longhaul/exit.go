package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// Exit codes of our own; an engine's code is passed through as it is.
const (
	exitTimeout    = 124 // the execution ran past its timeout
	exitOurs       = 125 // Longhaul, or the way to it, failed
	exitNotAllowed = 126 // the catalog does not allow it, or it could not be started
	exitNotFound   = 127 // no such engine or command
	exitCancelled  = 130
)

// exitCode is an error that only sets the exit code: everything was said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitSignal is the code of one that a signal to the command line itself has ended.
func exitSignal(s syscall.Signal) exitCode { return exitCode(128 + int(s)) }

// ending is how an execution ended, as far as the command line needs it: the
// data of an end event.
type ending struct {
	Status     execution.Status `json:"status"`
	Reason     execution.Reason `json:"reason"`
	Message    string           `json:"error_message"`
	ReturnCode *int             `json:"return_code"`
}

// endingOf gives the same of a status.
func endingOf(e *api.Execution) *ending {
	end := &ending{Status: e.Status, ReturnCode: e.ReturnCode}
	if e.Reason != nil {
		end.Reason = *e.Reason
	}
	if e.ErrorMessage != nil {
		end.Message = *e.ErrorMessage
	}
	return end
}

// tell says to a person why it did not complete.
func (e *ending) tell(stderr io.Writer, id execution.ID) {
	if e.Status == execution.Completed {
		return
	}
	// The engine's last lines, which the message ends with, are in the output.
	why, _, _ := strings.Cut(e.Message, "; its last lines:")
	fmt.Fprintf(stderr, "longhaul: %s ended as %s: %s\n", id, e.Status, why)
}

// exit gives scripts a code.
func (e *ending) exit() error {
	code := exitOurs
	switch e.Status {
	case execution.Completed, execution.Failed:
		code = 0
		if e.ReturnCode != nil {
			code = *e.ReturnCode
		}
	case execution.Timeout:
		code = exitTimeout
	case execution.Cancelled:
		code = exitCancelled
	case execution.Errored:
		switch e.Reason {
		case execution.ReasonStartFailed:
			code = exitNotAllowed
		case execution.ReasonUnknown:
			code = exitNotFound
		}
	case execution.Queued, execution.Running:
	}
	if code == 0 {
		return nil
	}
	return exitCode(code)
}

// refused gives an answer to a start its exit code: 126 where the catalog or the
// server does not allow it as it is, 127 where the catalog has no such engine.
func refused(err error, stderr io.Writer) error {
	p, ok := errors.AsType[*client.Problem](err)
	if code := execution.CodeOf(err); !ok || (code != execution.Forbidden && code != execution.Invalid) {
		return err
	}
	fmt.Fprintln(stderr, "longhaul:", err)
	for _, f := range p.Errors {
		if f.Location == "engine" {
			return exitCode(exitNotFound)
		}
	}
	return exitCode(exitNotAllowed)
}
