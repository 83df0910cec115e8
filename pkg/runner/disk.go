package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

// disk is this process's folder below WORKDIR. It is locked, and the lock ends
// with the process: that tells the next one which folders have no owner any more.
//
//	<WORKDIR>/<process>/<id>.<attempt>/attempt.json     the lease and the spec
//	<WORKDIR>/<process>/<id>.<attempt>/work             the engine's cwd, unless its catalog entry names one
//	<WORKDIR>/<process>/<id>.<attempt>/outputs          EXECUTION_OUTPUT_DIR
//	<WORKDIR>/<process>/<id>.<attempt>/result.json      EXECUTION_RESULT_FILE
//	<WORKDIR>/<process>/<id>.<attempt>/checkpoint       EXECUTION_CHECKPOINT_DIR
//	<WORKDIR>/<process>/<id>.<attempt>/spool            output that Redis has not taken yet
//	<WORKDIR>/<process>/<id>.<attempt>/settlement.json  an outcome that Redis has not taken yet
//	<WORKDIR>/<process>/spare-<n>                       the same with empty folders and an old note, for the next attempt
type disk struct {
	base string // WORKDIR
	root string // of this process
	lock *os.File

	spares spares
}

func openDisk(base string) (*disk, error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for work (the setting WORKDIR): %w", err)
	}
	made, err := os.MkdirTemp(base, "new-")
	if err != nil {
		return nil, fmt.Errorf("make a folder (the setting WORKDIR): %w", err)
	}
	lock, err := takeLock(made)
	if err != nil {
		return nil, err
	}
	// Only now may others see it: without its lock it would look like an orphan.
	root := filepath.Join(base, "worker-"+strings.TrimPrefix(filepath.Base(made), "new-"))
	if err := os.Rename(made, root); err != nil {
		return nil, errors.Join(fmt.Errorf("name a folder (the setting WORKDIR): %w", err), lock.Close())
	}
	return &disk{base: base, root: root, lock: lock, spares: spares{root: root}}, nil
}

// takeLock fails with EWOULDBLOCK when the folder's owner lives.
func takeLock(root string) (*os.File, error) {
	// The folder itself, not a file in it, which a cleaner of old files might take.
	f, err := os.Open(root)
	if err != nil {
		return nil, fmt.Errorf("open a workdir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock a workdir: %w", err)
	}
	return f, nil
}

// close removes the folder unless something was left in it, and frees it for
// whoever comes next.
func (d *disk) close() error {
	d.spares.clear()
	left, err := filepath.Glob(filepath.Join(d.root, "*", noteName))
	if err == nil && len(left) == 0 {
		err = os.RemoveAll(d.root)
	}
	return errors.Join(err, d.lock.Close())
}

// orphans lists the folders below WORKDIR whose process is gone, each with its
// lock taken: close it when done.
func (d *disk) orphans() (map[string]*os.File, error) {
	roots, err := filepath.Glob(filepath.Join(d.base, "worker-*"))
	if err != nil {
		return nil, fmt.Errorf("list workdirs: %w", err)
	}
	orphans := map[string]*os.File{}
	for _, root := range roots {
		if root == d.root {
			continue
		}
		if lock, err := takeLock(root); err == nil {
			orphans[root] = lock
		}
	}
	return orphans, nil
}

// note is what the next process needs to know of an attempt.
type note struct {
	Lease  execution.Lease
	Worker string
	Spec   execution.Spec
}

func (a *attempt) note() note { return note{Lease: a.lease, Worker: a.r.o.Worker, Spec: a.spec} }

// workdir makes the folder of an attempt.
func (d *disk) workdir(n note, cwd string) (workdir, error) {
	w := workdir{root: filepath.Join(d.root, string(n.Lease.ID)+"."+strconv.Itoa(n.Lease.Attempt)), cwd: cwd}
	if cwd == "" {
		w.cwd = filepath.Join(w.root, "work")
	}
	if n.Lease.Attempt == 1 && !mayFollow(&n.Spec, n.Lease.Attempt) {
		var err error
		if w.spare, err = d.spares.take(w.root, n); err != nil {
			return workdir{}, w.undo(fmt.Errorf("make the workdir (the setting WORKDIR): %w", err))
		}
		return w, nil
	}
	for _, dir := range []string{w.root, w.outputs(), filepath.Join(w.root, "work")} {
		// Not MkdirAll: a root that is gone must not come back without its lock.
		if err := os.Mkdir(dir, 0o700); err != nil {
			return workdir{}, w.undo(fmt.Errorf("make the workdir (the setting WORKDIR): %w", err))
		}
	}
	if err := writeJSON(w.note(), n); err != nil {
		return workdir{}, w.undo(err)
	}
	return w, nil
}

// undo takes back a workdir that could not be made: what is left of it would
// only add to the trouble.
func (w workdir) undo(err error) error {
	return &diskError{errors.Join(err, os.RemoveAll(w.root))}
}

func (w workdir) saveSettlement(s redisstore.Settlement) error { return writeJSON(w.settlement(), s) }

// writeJSON writes whole or not at all.
func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	if err := os.WriteFile(path+".part", data, 0o600); err != nil {
		return fmt.Errorf("write %s (the setting WORKDIR): %w", filepath.Base(path), err)
	}
	return os.Rename(path+".part", path)
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}
