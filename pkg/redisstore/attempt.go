package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Claimed is the answer to Claim.
type Claimed struct {
	Lease  execution.Lease
	Spec   execution.Spec
	Waited time.Duration // from when it was allowed to run until now, by Redis' clock
}

// earlyMost is by how much an attempt may begin before its time: what clocks
// that are kept in step differ by, and more.
const earlyMost = time.Second

// Claim gives worker the next attempt of a queued execution. token makes a
// repeated call find the claim that it already has; NewToken makes one. Errors
// of code Conflict (not queued: somebody else has it, or it has ended; or its
// delay is not over, in which case the reaper hands it out again) and NotFound
// are final.
func (s *Store) Claim(ctx context.Context, id execution.ID, worker, token string) (Claimed, error) {
	name, err := json.Marshal(worker)
	if err != nil {
		return Claimed{}, fmt.Errorf("encode worker name: %w", err)
	}
	res, err := s.run(ctx, claimScript, id, token, worker, s.o.LeaseTicks, string(name), earlyMost.Milliseconds())
	if errors.Is(err, errFolded) {
		return Claimed{}, execution.Errorf(execution.Conflict, "execution %s has ended", id)
	}
	if err != nil {
		return Claimed{}, wrap("claim execution", err)
	}
	switch res[0] {
	case "ok":
		c := Claimed{Lease: execution.Lease{ID: id, Attempt: atoi(res[1]), Token: token}}
		c.Waited = max(0, fromMillis(res[3]).Sub(fromMillis(res[4])))
		if err := json.Unmarshal([]byte(res[2]), &c.Spec); err != nil {
			return Claimed{}, fmt.Errorf("record %s holds a spec that cannot be read: %w", id, err)
		}
		return c, nil
	case "gone":
		return Claimed{}, gone(id)
	case "early":
		return Claimed{}, execution.Errorf(execution.Conflict, "execution %s may not run before %s", id, fromMillis(res[1]).Format(time.RFC3339Nano))
	}
	return Claimed{}, execution.Errorf(execution.Conflict, "execution %s is %s, not queued", id, res[1])
}

// Append stores a batch of events. It may be repeated with the same batch
// after any error but ErrFenced.
func (s *Store) Append(ctx context.Context, l execution.Lease, b execution.Batch) error {
	_, err := s.append(ctx, l, b)
	return err
}

// append also tells how much of the execution's log is in Redis now, in bytes
// as stored; 0 when a repeated batch was there already.
func (s *Store) append(ctx context.Context, l execution.Lease, b execution.Batch) (stored int64, err error) {
	room := s.rooms.get() // go-redis has written it out, or given it up, when it returns
	defer s.rooms.put(room)
	enc, data := s.codec.encode(b.Data, *room)
	if enc == encZstd {
		*room = data
	}
	if b.Gap != nil {
		enc = encGap
		if data, err = (gapData{time.Now().UnixMilli(), l.Attempt, *b.Gap}).encode(); err != nil {
			return 0, err
		}
	}
	res, err := s.run(ctx, appendScript, l.ID, l.Token, b.No, b.N, enc, data, b.LogBytes, string(b.Progress), s.o.LogBytes, string(b.Metrics))
	if errors.Is(err, errFolded) {
		return 0, execution.ErrFenced
	}
	if err != nil {
		return 0, wrap("append events", err)
	}
	if res[0] != "ok" {
		return 0, execution.ErrFenced
	}
	return int64(atoi(res[1])), nil
}

// Settlement is what Settle writes.
type Settlement struct {
	Outcome execution.Outcome
	Result  json.RawMessage
	// Requeue puts the execution back in line after Backoff instead of ending
	// it; Outcome then only tells why.
	Requeue bool
	Backoff time.Duration
	// IfLost settles for somebody else: only when the lease has run out.
	IfLost bool
}

// ErrAlive says that an attempt that was taken for lost has renewed its lease.
var ErrAlive = fmt.Errorf("the attempt is alive: its lease was renewed")

// Settle ends an attempt. It may be repeated after any error but ErrFenced and
// ErrAlive. The dispatch number is that of the Asynq task to enqueue after a
// Requeue; 0 when it did not go back in line, be it that it was cancelled meanwhile.
func (s *Store) Settle(ctx context.Context, l execution.Lease, st Settlement) (dispatch int, err error) {
	outcome, ending, err := encodeEnding(&st.Outcome)
	if err != nil {
		return 0, err
	}
	status := string(st.Outcome.Status)
	var cancelled, cancelledEnding []byte
	if st.Requeue {
		o := st.Outcome
		o.Status, o.Reason, o.Message = execution.Cancelled, execution.ReasonCancelled, "cancelled on request; "+o.Message
		if cancelled, cancelledEnding, err = encodeEnding(&o); err != nil {
			return 0, err
		}
		status = string(execution.Queued)
		ending, err = json.Marshal(map[string]any{
			"status": execution.Queued, "reason": st.Outcome.Reason, "message": st.Outcome.Message,
			"after_attempt": l.Attempt, "backoff_seconds": st.Backoff.Seconds(),
		})
		if err != nil {
			return 0, fmt.Errorf("encode requeue: %w", err)
		}
	}
	lost := ""
	if st.IfLost {
		lost = "1"
	}
	res, err := s.run(ctx, settleScript, l.ID, l.Token, status, string(outcome), string(ending),
		string(st.Result), s.o.Retention.Milliseconds(), lost, st.Backoff.Milliseconds(),
		string(cancelled), string(cancelledEnding))
	if errors.Is(err, errFolded) {
		return 0, s.settledLongAgo(ctx, l)
	}
	if err != nil {
		return 0, wrap("settle execution", err)
	}
	switch res[0] {
	case "ok":
		return atoi(res[1]), nil
	case "alive":
		return 0, ErrAlive
	}
	return 0, execution.ErrFenced
}

// settledLongAgo answers a settle that is repeated after a long outage: nil when
// the execution has ended by the same lease.
func (s *Store) settledLongAgo(ctx context.Context, l execution.Lease) error {
	f, err := s.getFolded(ctx, l.ID)
	switch {
	case err == nil && f.fields["settled"] != l.Token, execution.CodeOf(err) == execution.NotFound:
		return execution.ErrFenced
	}
	return err
}

// encodeEnding gives the outcome as the record keeps it and as the end event tells it.
func encodeEnding(o *execution.Outcome) (outcome, ending []byte, err error) {
	if outcome, err = json.Marshal(o); err != nil {
		return nil, nil, fmt.Errorf("encode outcome: %w", err)
	}
	ending, err = json.Marshal(struct {
		*execution.Outcome
		ReturnCode   *int   `json:"return_code"`
		ErrorMessage string `json:"error_message,omitempty"`
	}{o, o.ReturnCode(), o.Message})
	if err != nil {
		return nil, nil, fmt.Errorf("encode end event: %w", err)
	}
	return outcome, ending, nil
}

// Abandon ends a queued execution that can never run. It reports false when it
// is no longer queued.
func (s *Store) Abandon(ctx context.Context, id execution.ID, o execution.Outcome) (bool, error) {
	outcome, ending, err := encodeEnding(&o)
	if err != nil {
		return false, err
	}
	res, err := s.run(ctx, abandonScript, id, string(o.Status), string(outcome), string(ending), s.o.Retention.Milliseconds())
	if errors.Is(err, errFolded) {
		return false, nil
	}
	if err != nil {
		return false, wrap("abandon execution", err)
	}
	return res[0] == "ok", nil
}

// Cancel asks for the end of an execution. Repeating it is harmless. An error
// of code NotFound when there is none.
func (s *Store) Cancel(ctx context.Context, id execution.ID) (execution.Cancellation, error) {
	return s.cancel(ctx, id, channelCancel)
}

// Kill is Cancel without the engine's grace, also after a Cancel.
func (s *Store) Kill(ctx context.Context, id execution.ID) (execution.Cancellation, error) {
	return s.cancel(ctx, id, channelKill)
}

func (s *Store) cancel(ctx context.Context, id execution.ID, channel string) (execution.Cancellation, error) {
	outcome, ending, err := encodeEnding(&execution.Outcome{
		Status: execution.Cancelled, Reason: execution.ReasonCancelled, Message: "cancelled while it was waiting in line; it never ran",
	})
	if err != nil {
		return execution.Cancellation{}, err
	}
	res, err := s.run(ctx, cancelScript, id, string(outcome), string(ending), s.o.Retention.Milliseconds(), channel)
	if isFull(err) {
		// The request cannot be stored, but a worker can hear it: the engine stops
		// now, and the caller is told to ask again.
		_ = s.rdb.Publish(ctx, channel, string(id)).Err()
		return execution.Cancellation{}, &execution.Error{
			Code: execution.StorageFull, Err: err,
			Message: "Redis is full, so the cancel could not be stored; its worker has been told to stop the engine. Ask again to be certain, and raise Redis' maxmemory",
		}
	}
	if errors.Is(err, errFolded) {
		r, err := s.Get(ctx, id)
		if err != nil {
			return execution.Cancellation{}, err
		}
		return execution.Cancellation{Ended: true, Status: r.Status, Dispatch: r.Dispatch}, nil
	}
	if err != nil {
		return execution.Cancellation{}, wrap("cancel execution", err)
	}
	if res[0] == "gone" {
		return execution.Cancellation{}, gone(id)
	}
	return execution.Cancellation{
		Settled: res[0] == "settled", Ended: res[0] == "ended",
		Status: execution.Status(res[1]), Dispatch: atoi(res[2]),
	}, nil
}
