package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
)

// A checkpoint is what an engine keeps in EXECUTION_CHECKPOINT_DIR. It goes to
// the artifact store while the engine runs and when it was interrupted, and is
// there again before the next attempt's engine starts, on whatever worker.

const (
	// restoreFor bounds how long a store that is away may hold up an engine: what
	// the last attempt did is worth the wait.
	restoreFor = time.Minute
	// leftFor bounds how long a store that is away may hold up the settling of
	// what a dead worker left.
	leftFor = time.Minute
	// savesAtOnce bounds memory: each may hold one part of an upload, 16 MiB.
	savesAtOnce = 4
)

// mayFollow says that another attempt may come after this one, so that it
// matters what this one leaves for it.
func mayFollow(s *execution.Spec, attempt int) bool {
	return s.OnInterrupt == execution.Requeue && attempt < s.MaxAttempts
}

func (a *attempt) mayFollow() bool { return mayFollow(&a.spec, a.lease.Attempt) }

// checkpoint is the state of one attempt's saving.
type checkpoint struct {
	pause  context.CancelFunc // ends the saving at intervals
	paused chan struct{}      // closed when that is over
	dir    workdir            // the attempt's, which itself changes while it is saved
	saving sync.WaitGroup     // all that reads the folder

	mu     sync.Mutex // guards all below
	stored artifact.Checkpoint
	told   map[string]bool
	first  *checkpointEvent // what became of the restore, told as soon as there is a writer
}

// checkpointEvent is the data of an event of type checkpoint.
type checkpointEvent struct {
	Action  string `json:"action"` // restored, saved, failed
	Attempt int    `json:"attempt,omitempty"`
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"`
	Message string `json:"message,omitempty"`
}

// stopped is the error of an attempt that was ended before its engine started.
type stopped struct{ why cause }

func (s stopped) Error() string { return "stopped before the engine started: " + s.why.String() }

// openCheckpoint makes the folder, with what the newest earlier attempt left.
// It is there whole or not at all, for the next process on this disk too.
func (a *attempt) openCheckpoint(ctx context.Context) error {
	if a.dir.plain() {
		return nil // the folder is there
	}
	part := a.dir.checkpoint() + ".part"
	var c artifact.Checkpoint
	var err error
	if a.lease.Attempt > 1 {
		c, err = a.restore(ctx, part)
	} else if err = os.Mkdir(part, 0o700); err != nil {
		err = fmt.Errorf("%w: %w", artifact.ErrCheckpointDisk, err)
	}
	switch {
	case err == nil && c.Attempt > 0:
		a.checkpoint.first = &checkpointEvent{Action: "restored", Attempt: c.Attempt, Files: c.Files, Bytes: c.Bytes}
		a.log.InfoContext(ctx, "checkpoint restored", "of_attempt", c.Attempt, "files", c.Files, "bytes", c.Bytes)
	case err == nil:
	case errors.As(err, new(stopped)), errors.Is(err, artifact.ErrCheckpointDisk):
		return err
	default:
		a.checkpoint.first = &checkpointEvent{Action: "failed", Attempt: c.Attempt, Message: a.r.explainCheckpoint(err, "could not be read") + "; the engine begins with an empty folder"}
		a.log.ErrorContext(ctx, "checkpoint not restored; the engine begins with an empty folder", "of_attempt", c.Attempt, "error", err)
		if err := errors.Join(os.RemoveAll(part), os.Mkdir(part, 0o700)); err != nil {
			return fmt.Errorf("%w: %w", artifact.ErrCheckpointDisk, err)
		}
	}
	if a.mayFollow() { // what is there now is in the store already
		state, err := artifact.CheckpointState(part, a.r.o.CheckpointBytes)
		if err != nil {
			return err
		}
		if err := a.dir.setStored(state.Sum); err != nil {
			return err
		}
	}
	if err := os.Rename(part, a.dir.checkpoint()); err != nil {
		return fmt.Errorf("%w: %w", artifact.ErrCheckpointDisk, err)
	}
	return nil
}

// restore makes part of what the newest earlier attempt left.
func (a *attempt) restore(ctx context.Context, part string) (c artifact.Checkpoint, err error) {
	err = a.patiently(ctx, "checkpoint", restoreFor, func(ctx context.Context) (err error) {
		if err := os.RemoveAll(part); err != nil { // of an earlier try
			return fmt.Errorf("%w: %w", artifact.ErrCheckpointDisk, err)
		}
		c, err = artifact.RestoreCheckpoint(ctx, a.r.o.Checkpoints, a.lease.ID, a.lease.Attempt, part, a.r.o.CheckpointBytes)
		return err
	})
	return c, err
}

// hopeless tells what another try would meet again.
func hopeless(err error) bool {
	return errors.Is(err, artifact.ErrCheckpointDamaged) || errors.Is(err, artifact.ErrCheckpointTooLarge) ||
		errors.Is(err, artifact.ErrCheckpointDisk) || errors.Is(err, artifact.ErrNone) ||
		errors.Is(err, artifact.ErrInputChanged) || errors.Is(err, artifact.ErrInputDisk)
}

// explainCheckpoint is for callers: no paths and no addresses.
func (r *Runner) explainCheckpoint(err error, otherwise string) string {
	switch {
	case errors.Is(err, artifact.ErrCheckpointTooLarge):
		return fmt.Sprintf("the checkpoint is larger than may be kept: %d bytes (the setting CHECKPOINT_MAX_BYTES, the same for all workers), %d files, folders not nested too deep", r.o.CheckpointBytes, artifact.MaxCheckpointFiles)
	case errors.Is(err, artifact.ErrCheckpointDamaged):
		return "the checkpoint is damaged"
	case errors.Is(err, artifact.ErrCheckpointChanging):
		return "the checkpoint was not kept, since a file was cut while it was read: write to another name and rename"
	case errors.Is(err, artifact.ErrNone):
		return "the checkpoint is not kept, since there is no store for it (the setting ARTIFACTS_URL)"
	case errors.Is(err, artifact.ErrCheckpointDisk):
		return "the checkpoint is not kept, since EXECUTION_CHECKPOINT_DIR cannot be read"
	case errors.Is(err, errNoTime):
		return "the checkpoint was not kept, since the worker had no more time (the setting DRAIN_TIMEOUT)"
	}
	return "the checkpoint " + otherwise + ": the artifact store does not answer as it should (the setting ARTIFACTS_URL)"
}

var errNoTime = errors.New("the worker has to end")

// keepCheckpoint begins to save the folder at intervals, so that a worker that
// dies takes little with it.
func (a *attempt) keepCheckpoint(ctx context.Context) {
	c := &a.checkpoint
	ctx, c.pause = context.WithCancel(ctx)
	c.paused = make(chan struct{})
	c.dir = a.dir
	if a.r.o.CheckpointEvery <= 0 || !a.mayFollow() {
		close(c.paused)
		return
	}
	c.saving.Go(func() {
		defer close(c.paused)
		ticker := time.NewTicker(a.r.o.CheckpointEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			err := a.saveCheckpoint(ctx)
			if err != nil && ctx.Err() == nil {
				a.tellUnsaved(ctx, err)
			}
			if errors.Is(err, artifact.ErrNone) {
				return
			}
		}
	})
}

// lastCheckpoint saves what an engine left that was interrupted and is to run
// again. Nothing is waited for beyond the time that the drain has for it: a
// store that hangs must not cost the outcome.
func (a *attempt) lastCheckpoint(ctx context.Context, why cause) {
	c := &a.checkpoint
	c.pause()
	if why != causeInterrupt || !a.mayFollow() {
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	c.saving.Go(func() {
		<-c.paused // one after the other, or an older state might come last
		done <- a.saveCheckpoint(ctx)
	})
	var err error
	select {
	case err = <-done:
	case <-a.r.saveBy:
		err = errNoTime
	}
	if err != nil {
		a.tellUnsaved(ctx, err)
		return
	}
	c.mu.Lock()
	kept := c.stored
	c.mu.Unlock()
	if kept.Attempt == 0 {
		return // nothing was put there
	}
	e := checkpointEvent{Action: "saved", Attempt: kept.Attempt, Files: kept.Files, Bytes: kept.Bytes}
	if kept.Left > 0 {
		e.Message = fmt.Sprintf("%d links, devices or the like were left out: only files and folders are kept", kept.Left)
	}
	a.log.InfoContext(ctx, "checkpoint saved", "files", kept.Files, "bytes", kept.Bytes)
	a.tellCheckpoint(ctx, e)
}

// endCheckpoint waits until nothing reads the folder any more; at the end of a
// drain the process goes all the same.
func (a *attempt) endCheckpoint() {
	if !a.mayFollow() {
		return // nothing ever did
	}
	over := make(chan struct{})
	go func() { a.checkpoint.saving.Wait(); close(over) }()
	select {
	case <-over:
	case <-a.r.giveUp:
	}
}

func (a *attempt) saveCheckpoint(ctx context.Context) error {
	kept, err := a.r.saveCheckpoint(ctx, a.lease, a.checkpoint.dir)
	if err == nil && kept.Attempt > 0 {
		a.checkpoint.mu.Lock()
		defer a.checkpoint.mu.Unlock()
		a.checkpoint.stored = kept
	}
	return err
}

// saveCheckpoint keeps what has changed since it was last kept; nothing has if
// Attempt is 0.
func (r *Runner) saveCheckpoint(ctx context.Context, l execution.Lease, w workdir) (artifact.Checkpoint, error) {
	none := artifact.Checkpoint{}
	state, err := artifact.CheckpointState(w.checkpoint(), r.o.CheckpointBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil // the engine took it away, perhaps to put another in its place
	}
	if err != nil || (state.Sum == w.stored() && !state.Fresh) {
		return none, err
	}
	select {
	case r.saves <- struct{}{}:
		defer func() { <-r.saves }()
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
	kept, err := artifact.SaveCheckpoint(ctx, r.o.Checkpoints, l.ID, l.Attempt, w.checkpoint(), r.o.CheckpointBytes)
	if err != nil {
		return none, err
	}
	return kept, w.setStored(state.Sum)
}

// tellUnsaved tells of each kind of failure once.
func (a *attempt) tellUnsaved(ctx context.Context, err error) {
	a.log.WarnContext(ctx, "checkpoint not saved", "error", err)
	e := checkpointEvent{Action: "failed", Attempt: a.lease.Attempt, Message: a.r.explainCheckpoint(err, "could not be kept")}
	c := &a.checkpoint
	c.mu.Lock()
	before := c.told[e.Message]
	if c.told == nil {
		c.told = map[string]bool{}
	}
	c.told[e.Message] = true
	c.mu.Unlock()
	if !before {
		a.tellCheckpoint(ctx, e)
	}
}

// tellRestored is the first that subscribers hear of the attempt.
func (a *attempt) tellRestored(ctx context.Context) {
	if a.checkpoint.first != nil {
		a.tellCheckpoint(ctx, *a.checkpoint.first)
	}
}

func (a *attempt) tellCheckpoint(ctx context.Context, e checkpointEvent) {
	data, err := json.Marshal(e)
	if err == nil {
		err = a.writer.Emit(execution.Event{Type: execution.EventCheckpoint, Data: data})
	}
	if err != nil {
		a.log.WarnContext(ctx, "checkpoint not announced", "action", e.Action, "error", err)
	}
}

// saveLeft keeps the checkpoint that a dead worker left on this disk, before
// its attempt is put back in line.
func (r *Runner) saveLeft(ctx context.Context, log *slog.Logger, w workdir, n note) {
	if _, err := r.recordOf(ctx, log, n); err != nil {
		return // settling says why
	}
	ctx, cancel := context.WithTimeout(ctx, leftFor)
	defer cancel()
	kept, err := r.saveCheckpoint(ctx, n.Lease, w)
	switch {
	case errors.Is(err, artifact.ErrNone):
	case err != nil:
		log.WarnContext(ctx, "checkpoint not saved", "error", err)
	case kept.Attempt > 0:
		log.InfoContext(ctx, "checkpoint of a dead worker saved", "files", kept.Files, "bytes", kept.Bytes)
	}
}

// stored is the state of the folder that the store has, as the last process
// that saved it wrote it down.
func (w workdir) stored() string {
	data, err := os.ReadFile(w.checkpointState())
	if err != nil {
		return ""
	}
	return string(data)
}

func (w workdir) setStored(sum string) error {
	if err := os.WriteFile(w.checkpointState(), []byte(sum), 0o600); err != nil {
		return fmt.Errorf("%w: %w", artifact.ErrCheckpointDisk, err)
	}
	return nil
}

// savingTime is what a drain keeps back for this attempt's checkpoint. An
// engine may fill the folder only when it is asked to end, so it says nothing
// that it is empty before.
func (a *attempt) savingTime() time.Duration {
	if !a.mayFollow() {
		return 0
	}
	return savingTime(a.r.o.DrainTimeout)
}
