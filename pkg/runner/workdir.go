package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// workdir is the place of one attempt on the worker's disk:
//
//	<base>/<id>.<attempt>/work         the engine's cwd, unless its catalog entry names one
//	<base>/<id>.<attempt>/outputs      EXECUTION_OUTPUT_DIR
//	<base>/<id>.<attempt>/result.json  EXECUTION_RESULT_FILE
type workdir struct {
	root, cwd string
	artifacts kept
}

func makeWorkdir(base string, l execution.Lease, cwd string) (workdir, error) {
	w := workdir{root: filepath.Join(base, string(l.ID)+"."+strconv.Itoa(l.Attempt)), cwd: cwd}
	if cwd == "" {
		w.cwd = filepath.Join(w.root, "work")
	}
	for _, dir := range []string{w.outputs(), filepath.Join(w.root, "work")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return workdir{}, fmt.Errorf("make the workdir (the setting WORKDIR): %w", err)
		}
	}
	return w, nil
}

func (w workdir) outputs() string { return filepath.Join(w.root, "outputs") }
func (w workdir) result() string  { return filepath.Join(w.root, "result.json") }

func (w workdir) remove() error {
	if w.root == "" {
		return nil
	}
	return os.RemoveAll(w.root)
}

// environ is what the engine's contract adds to the catalog's environment.
func (a *attempt) environ(deadline time.Time) []string {
	// A trace of its own per execution, the same in every attempt, so that an
	// engine's spans can be found by the execution's id alone.
	trace := sha256.Sum256([]byte(a.lease.ID))
	span := sha256.Sum256([]byte(string(a.lease.ID) + "." + strconv.Itoa(a.lease.Attempt)))
	return []string{
		"EXECUTION_ID=" + string(a.lease.ID),
		"EXECUTION_ATTEMPT=" + strconv.Itoa(a.lease.Attempt),
		"EXECUTION_OUTPUT_DIR=" + a.dir.outputs(),
		"EXECUTION_RESULT_FILE=" + a.dir.result(),
		"EXECUTION_DEADLINE=" + deadline.UTC().Format(execution.TimeFormat),
		"EXECUTION_EVENTS_FD=3",
		"TRACEPARENT=00-" + hex.EncodeToString(trace[:16]) + "-" + hex.EncodeToString(span[:8]) + "-01",
	}
}
