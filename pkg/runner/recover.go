package runner

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/logstream"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

// Recover finishes what worker processes that died on this disk have left: the
// end of the log that Redis had not taken, and the outcome. An attempt that has
// none was still running; its engine died with its worker, so it is lost, and
// nobody has to wait for its lease. Where a lease has run out meanwhile, Redis
// refuses, and only the folder is removed.
func (r *Runner) Recover(ctx context.Context) error {
	orphans, err := r.disk.orphans()
	if err != nil {
		return err
	}
	for root, lock := range orphans {
		err := r.recoverAll(ctx, root)
		if err == nil {
			err = os.RemoveAll(root)
		}
		if err = errors.Join(err, lock.Close()); err != nil {
			r.o.Logger.WarnContext(ctx, "what a dead worker left is not finished", "folder", root, "error", err)
		}
	}
	return nil
}

func (r *Runner) recoverAll(ctx context.Context, root string) error {
	notes, err := filepath.Glob(filepath.Join(root, "*", noteName))
	if err != nil {
		return err
	}
	notes = slices.DeleteFunc(notes, func(path string) bool {
		return strings.HasPrefix(filepath.Base(filepath.Dir(path)), spareNamed) // an old note, of an attempt that was settled
	})
	return each(ctx, notes, func(ctx context.Context, path string) error {
		return r.recoverOne(ctx, workdir{root: filepath.Dir(path)})
	})
}

// recoverOne waits for Redis as long as it takes. An error is ctx's end, or a
// broken disk.
func (r *Runner) recoverOne(ctx context.Context, w workdir) error {
	var n note
	if err := readJSON(w.note(), &n); err != nil {
		return err
	}
	log := r.o.Logger.With("execution_id", n.Lease.ID, "attempt", n.Lease.Attempt, "dead_worker", n.Worker)
	err := r.retry(ctx, log, "replay", nil, func() error {
		return logstream.Replay(ctx, r.store, n.Lease, w.spool())
	})
	if err == nil {
		err = r.settleFor(ctx, log, w, n)
	}
	if errors.Is(err, execution.ErrFenced) || execution.CodeOf(err) == execution.NotFound {
		log.InfoContext(ctx, "the dead worker's attempt had been settled already")
		err = nil
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(w.root)
}

// settleFor writes the outcome that the dead worker came to, or its loss.
func (r *Runner) settleFor(ctx context.Context, log *slog.Logger, w workdir, n note) error {
	var s redisstore.Settlement
	if err := readJSON(w.settlement(), &s); err != nil {
		if s, err = r.lossOf(ctx, log, w, n); err != nil {
			return err
		}
	}
	if s.Requeue {
		r.saveLeft(ctx, log, w, n)
	}
	var dispatch int
	err := r.retry(ctx, log, "settle", nil, func() (err error) {
		dispatch, err = r.store.Settle(ctx, n.Lease, s)
		return err
	})
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "settled for a dead worker", "status", s.Outcome.Status, "requeued", s.Requeue)
	if s.Requeue && dispatch > 0 {
		// A failure is the reaper's to mend.
		if err := r.tasks.Enqueue(ctx, execution.TicketFor(n.Lease.ID, &n.Spec, dispatch, s.Backoff)); err != nil {
			log.WarnContext(ctx, "task not enqueued; the reaper will", "error", err)
		}
	}
	return nil
}

// recordOf is the record of an attempt that still runs, as far as Redis knows.
// Of others nothing is to be kept: it might never be taken out again.
func (r *Runner) recordOf(ctx context.Context, log *slog.Logger, n note) (*execution.Record, error) {
	var record *execution.Record
	err := r.retry(ctx, log, "read record", nil, func() (err error) {
		record, err = r.store.Get(ctx, n.Lease.ID)
		return err
	})
	if err == nil && (record.Attempt != n.Lease.Attempt || record.Status != execution.Running) {
		err = execution.ErrFenced
	}
	return record, err
}

// lossOf is the settlement of an attempt that ran when its worker died. Its
// files are kept, as after every end.
func (r *Runner) lossOf(ctx context.Context, log *slog.Logger, w workdir, n note) (redisstore.Settlement, error) {
	record, err := r.recordOf(ctx, log, n)
	if err != nil {
		return redisstore.Settlement{}, err
	}
	s := lostSettlement(record)
	s.IfLost = false // we know: the lock of its process was free
	s.Backoff = min(s.Backoff, time.Second)
	sum, err := artifact.Collect(ctx, r.artifacts, n.Lease.ID, w.outputs(), r.o.ArtifactLimits, nil)
	if err != nil {
		log.WarnContext(ctx, "artifacts not kept", "error", err)
	}
	s.Outcome.Artifacts = sum.Files
	return s, nil
}
