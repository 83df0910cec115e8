package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/execution"
)

// room knows whether the disk of WORKDIR can take another attempt. What runs is
// not its business: that goes on, and writes what still fits.
type room struct {
	dir  string // this process's own, below WORKDIR
	free int64  // WORKDIR_MIN_FREE

	mu   sync.Mutex    // guards full, and lets one look at a time
	full chan struct{} // nil while there is room; closed when there is again
	seen time.Time     // when there was room
}

// lookAgain is how long room that was seen counts. Asking the disk each time
// would cost an execution more than its record does.
const lookAgain = 2 * time.Second

// minInodes is what a handful of attempts need: each makes three folders and
// two files, and its engine more.
const minInodes = 100

// look measures, and changes what Full says.
func (r *room) look() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lookLocked()
}

// lately looks unless there was room a moment ago.
func (r *room) lately() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.seen) < lookAgain {
		return nil
	}
	return r.lookLocked()
}

func (r *room) lookLocked() error {
	err := r.measure()
	r.seen = time.Time{}
	if err == nil {
		r.seen = time.Now()
	}
	switch {
	case err != nil && r.full == nil:
		r.full = make(chan struct{})
	case err == nil && r.full != nil:
		close(r.full)
		r.full = nil
	}
	return err
}

// measure reads the file system's numbers and then tries: quotas, and disks
// that have become read-only, are not in the numbers.
func (r *room) measure() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(r.dir, &fs); err != nil {
		return noRoom("it cannot be looked at", err)
	}
	if left := int64(fs.Bavail) * fs.Bsize; left < r.free {
		return noRoom(fmt.Sprintf("%d MiB are free, less than WORKDIR_MIN_FREE (%d MiB)", left>>20, r.free>>20), nil)
	}
	if fs.Files > 0 && fs.Ffree < minInodes { // some file systems count none
		return noRoom(fmt.Sprintf("it can hold %d more files only (inodes)", fs.Ffree), nil)
	}
	probe := filepath.Join(r.dir, "probe")
	if err := errors.Join(os.WriteFile(probe, make([]byte, 4<<10), 0o600), os.Remove(probe)); err != nil {
		return noRoom("it cannot be written to", err)
	}
	return nil
}

// noRoom has a message for everyone; the cause names paths, and is for the log.
func noRoom(what string, cause error) error {
	return &execution.Error{Code: execution.Internal, Message: "the worker's disk has no room (the setting WORKDIR): " + what, Err: cause}
}

// Room looks whether the disk can take another attempt. Call it again and
// again: what it finds is what Full says.
func (r *Runner) Room() error { return r.room.look() }

// Full is nil while the disk has room for another attempt, else a channel that
// is closed when it has again.
func (r *Runner) Full() <-chan struct{} {
	r.room.mu.Lock()
	defer r.room.mu.Unlock()
	return r.room.full
}

// diskError is an attempt's that found no room for its folder. It is the
// worker's trouble and no fault of the engine, which was not started.
type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

// moreTries bounds how often an execution meets disks without room, which with
// the backoff is over five minutes, or workers that stop before its engine has
// started, beyond its max_attempts.
const moreTries = 10
