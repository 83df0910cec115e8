package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Sealer appends to logs, and moves their middle to the archive while they
// grow: from half of LOG_REDIS_BYTES on, in segments, oldest first. Where the
// archive is away or too slow for long, the budget still holds: append.lua
// drops the middle then, and a gap tells.
type Sealer struct {
	store *Store
	log   *slog.Logger
	queue chan *sealing

	mu      sync.Mutex
	pending map[execution.ID]*sealing
	rest    time.Time // not before: the archive has failed
	hurry   bool      // nobody waits any more
}

// sealing is one log's turn. The Sealer's mutex guards the rest of it.
type sealing struct {
	lease execution.Lease
	room  chan struct{} // closed with each segment that is sealed, and at the end
	slow  bool          // somebody has waited for room in vain: nobody else shall
}

const (
	// sealers is how many logs of a worker are sealed at once.
	sealers = 4
	// archiveRest is how long an archive that has failed is left alone.
	archiveRest = 15 * time.Second
	// sealWait is how long one batch waits for room: longer, and the engine would feel it.
	sealWait = 2 * time.Second
	// segmentEntries bounds what one call of seal.lua takes out: it holds up all of Redis.
	segmentEntries = 2048
)

// NewSealer makes a Sealer; Run does its work. Without an archive it only appends.
func NewSealer(s *Store, log *slog.Logger) *Sealer {
	return &Sealer{store: s, log: log, queue: make(chan *sealing, 1024), pending: map[execution.ID]*sealing{}}
}

// Append stores a batch as Store.Append does. Near the end of the budget it
// waits a little for room: an archive that is nearly fast enough slows the
// engine down a little, and nothing has to go.
func (w *Sealer) Append(ctx context.Context, l execution.Lease, b execution.Batch) error {
	stored, err := w.store.append(ctx, l, b)
	budget := w.store.o.LogBytes
	if err != nil || stored <= budget/2 || w.store.o.Archive == nil {
		return err
	}
	sealing, room := w.ask(l)
	if stored <= budget/8*7 || room == nil {
		return nil
	}
	patience := time.NewTimer(sealWait)
	defer patience.Stop()
	select {
	case <-room:
	case <-ctx.Done(): // the batch is stored
	case <-patience.C:
		w.mu.Lock()
		defer w.mu.Unlock()
		sealing.slow = true
	}
	return nil
}

// ask puts a log in line. room is closed when there is some, nil where waiting
// for it is no use.
func (w *Sealer) ask(l execution.Lease) (s *sealing, room <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s = w.pending[l.ID]
	if s == nil && !time.Now().Before(w.rest) {
		s = &sealing{lease: l, room: make(chan struct{})}
		select {
		case w.queue <- s:
			w.pending[l.ID] = s
		default: // it asks again with its next batch
			return s, nil
		}
	}
	if s == nil || s.slow || w.hurry {
		return s, nil
	}
	return s, s.room
}

// Hurry ends all waiting for room, for a worker that drains.
func (w *Sealer) Hurry() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hurry = true
	for _, s := range w.pending {
		s.makeRoom()
	}
}

// makeRoom lets those go on who wait. It needs the Sealer's mutex.
func (s *sealing) makeRoom() {
	close(s.room)
	s.room, s.slow = make(chan struct{}), false
}

// Run seals until ctx ends.
func (w *Sealer) Run(ctx context.Context) error {
	var g errgroup.Group
	for range sealers {
		g.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case s := <-w.queue:
					more, err := w.seal(ctx, s.lease)
					w.after(ctx, s, more, err)
				}
			}
		})
	}
	err := g.Wait()
	w.Hurry() // nobody makes room any more
	return err
}

// after ends a turn, or puts it back in line behind the other logs.
func (w *Sealer) after(ctx context.Context, s *sealing, more bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.makeRoom()
	if more {
		select {
		case w.queue <- s:
			return
		default: // its next batch asks again
		}
	}
	delete(w.pending, s.lease.ID)
	if err == nil || ctx.Err() != nil {
		return
	}
	if errors.Is(err, errArchive) {
		w.rest = time.Now().Add(archiveRest)
	}
	w.log.WarnContext(ctx, "the log's middle stays in Redis for now, and is dropped beyond LOG_REDIS_BYTES", "execution_id", s.lease.ID, "attempt", s.lease.Attempt, "error", err)
}

// seal moves one segment, if the log has grown enough. more says that there may
// be another to move.
func (w *Sealer) seal(ctx context.Context, l execution.Lease) (more bool, err error) {
	s := w.store
	got, err := s.rdb.HMGet(ctx, recordKey(s.prefixOf(l.ID), l.ID), "stored", "cut").Result()
	if err != nil {
		return false, wrap("read record", err)
	}
	stored, _ := got[0].(string)
	cut, _ := got[1].(string)
	if int64(atoi(stored)) <= s.o.LogBytes/2 || cut == "" {
		return false, nil
	}
	from, err := execution.ParseCursor(cut)
	if err != nil {
		return false, err
	}
	entries, err := s.middle(ctx, l.ID, from+1)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	ref, data := encodeSegment(entries)
	if err := s.archive(ctx, l.ID, ref, data); err != nil {
		return false, err
	}
	res, err := s.run(ctx, sealScript, l.ID, l.Token, ref.first.String(), ref.last.String())
	if err != nil {
		return false, wrap("seal a segment", err)
	}
	if res[0] == "gone" {
		return false, s.o.Archive.Delete(ctx, l.ID)
	}
	return res[0] == "ok", nil
}

// middle packs the entries of one segment.
func (s *Store) middle(ctx context.Context, id execution.ID, from execution.Cursor) (packed []entry, err error) {
	p := packer{codec: s.codec, emit: func(e entry) error { packed = append(packed, e); return nil }}
	size, n := int64(0), 0
	err = s.each(ctx, id, from, func(e entry) (bool, error) {
		size, n = size+int64(len(e.data)), n+1
		return size >= min(segmentBytes, s.o.LogBytes/8) || n == segmentEntries, p.add(e)
	})
	if err != nil {
		return nil, err
	}
	return packed, p.flush()
}

func (s *Store) archive(ctx context.Context, id execution.ID, ref segmentRef, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	if err := s.o.Archive.Put(ctx, id, ref.name(), data); err != nil {
		return fmt.Errorf("%w: %w", errArchive, err)
	}
	return nil
}

var errArchive = errors.New("the artifact store does not take a part of a log (the setting ARTIFACTS_URL)")
