package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// workdir is the place of one attempt on the worker's disk; disk says where.
type workdir struct {
	root, cwd string
	artifacts kept
	left      bool   // for the next process: not to be removed
	spare     *spare // of an execution's only attempt, which has no checkpoint to go on with
}

// noteName is in every workdir, and tells whose it is.
const noteName = "attempt.json"

func (w workdir) outputs() string { return filepath.Join(w.root, outputsFolder) }

// inputs is the engine's own folder, unless the catalog names that: what a
// request brings never goes to where others are.
func (w workdir) inputs() string     { return filepath.Join(w.root, "work") }
func (w workdir) result() string     { return filepath.Join(w.root, "result.json") }
func (w workdir) spool() string      { return filepath.Join(w.root, "spool") }
func (w workdir) checkpoint() string { return filepath.Join(w.root, "checkpoint") }
func (w workdir) note() string       { return filepath.Join(w.root, noteName) }
func (w workdir) settlement() string { return filepath.Join(w.root, "settlement.json") }

// plain: there is nothing to restore, and nothing to compare a checkpoint with.
func (w workdir) plain() bool { return w.spare != nil }

// checkpointState is beside the folder: what of it the store has.
func (w workdir) checkpointState() string { return filepath.Join(w.root, "checkpoint.state") }

func (w workdir) remove() error {
	if w.root == "" || w.left {
		return nil
	}
	return os.RemoveAll(w.root)
}

// traceparent is the span that the engine's own hang on. Where nobody traces, it
// is a trace of its own per execution, the same in every attempt, so that an
// engine's spans can be found by the execution's id alone.
func (a *attempt) traceparent() string {
	if p := a.spans.run.Parent(); p != "" {
		return p
	}
	trace := sha256.Sum256([]byte(a.lease.ID))
	span := sha256.Sum256([]byte(string(a.lease.ID) + "." + strconv.Itoa(a.lease.Attempt)))
	return "00-" + hex.EncodeToString(trace[:16]) + "-" + hex.EncodeToString(span[:8]) + "-01"
}

// environ is what the engine's contract adds to the catalog's environment.
func (a *attempt) environ(deadline time.Time) []string {
	env := []string{
		"EXECUTION_ID=" + string(a.lease.ID),
		"EXECUTION_ATTEMPT=" + strconv.Itoa(a.lease.Attempt),
		"EXECUTION_OUTPUT_DIR=" + a.dir.outputs(),
		"EXECUTION_RESULT_FILE=" + a.dir.result(),
		"EXECUTION_CHECKPOINT_DIR=" + a.dir.checkpoint(),
		"EXECUTION_DEADLINE=" + deadline.UTC().Format(execution.TimeFormat),
		"EXECUTION_EVENTS_FD=3",
		"TRACEPARENT=" + a.traceparent(),
	}
	if len(a.spec.Files) > 0 {
		env = append(env, "EXECUTION_INPUT_DIR="+a.dir.inputs())
	}
	return env
}
