package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Fields of the record hash. Numbers are decimal strings, instants Unix
// milliseconds of Redis' own clock, so that replicas with different clocks agree.
//
//	spec queue status attempt token worker     what, where it stands, who holds it
//	created eligible started ended cancel      instants
//	last batch bytes progress metrics          the event stream: newest number, newest batch of the attempt, output
//	stored cut packed                          its size as stored, up to which number its middle is gone or sealed, packed after the end
//	outcome result past                        how it ended, and how earlier attempts did
//	dispatch nonce settled hook                number of the Asynq task, create's and settle's marks against repetition, webhook

// Get reads a record; an error of code NotFound when there is none.
func (s *Store) Get(ctx context.Context, id execution.ID) (*execution.Record, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	f, err := s.rdb.HGetAll(ctx, recordKey(s.prefixOf(id), id)).Result()
	if isFolded(err) {
		var whole folded
		whole, err = s.getFolded(ctx, id)
		f = whole.fields
	}
	if err != nil {
		return nil, wrap("read record", err)
	}
	if len(f) == 0 {
		return nil, gone(id)
	}
	return parseRecord(id, fields(f))
}

// fields are those of a whole record.
type fields map[string]string

func (f fields) get(name string) string { return f[name] }

func parseRecord(id execution.ID, f interface{ get(name string) string }) (*execution.Record, error) {
	r := &execution.Record{
		ID: id, Status: execution.Status(f.get("status")), Worker: f.get("worker"),
		CreatedAt: fromMillis(f.get("created")), EligibleAt: fromMillis(f.get("eligible")),
		StartedAt: fromMillis(f.get("started")), EndedAt: fromMillis(f.get("ended")),
		CancelRequestedAt: fromMillis(f.get("cancel")),
	}
	r.Attempt, _ = strconv.Atoi(f.get("attempt"))
	r.Dispatch, _ = strconv.Atoi(f.get("dispatch"))
	r.LogBytes, _ = strconv.ParseInt(f.get("bytes"), 10, 64)
	last, _ := strconv.ParseUint(f.get("last"), 10, 64)
	r.Last = execution.Cursor(last)
	if err := json.Unmarshal([]byte(f.get("spec")), &r.Spec); err != nil {
		return nil, fmt.Errorf("record %s holds a spec that cannot be read: %w", id, err)
	}
	if v := f.get("outcome"); v != "" {
		r.Outcome = &execution.Outcome{}
		if err := json.Unmarshal([]byte(v), r.Outcome); err != nil {
			return nil, fmt.Errorf("record %s holds an outcome that cannot be read: %w", id, err)
		}
	}
	if v := f.get("past"); v != "" {
		var past []struct {
			Started, Ended int64
			Outcome        execution.Outcome
		}
		if err := json.Unmarshal([]byte("["+v+"]"), &past); err != nil {
			return nil, fmt.Errorf("record %s holds attempts that cannot be read: %w", id, err)
		}
		for _, p := range past {
			r.Past = append(r.Past, execution.PastAttempt{StartedAt: time.UnixMilli(p.Started).UTC(), EndedAt: time.UnixMilli(p.Ended).UTC(), Outcome: p.Outcome})
		}
	}
	if v := f.get("progress"); v != "" {
		r.Progress = json.RawMessage(v)
	}
	if v := f.get("metrics"); v != "" {
		r.Metrics = &execution.Metrics{}
		if err := json.Unmarshal([]byte(v), r.Metrics); err != nil {
			return nil, fmt.Errorf("record %s holds metrics that cannot be read: %w", id, err)
		}
	}
	if v := f.get("result"); v != "" {
		r.Result = json.RawMessage(v)
	}
	return r, nil
}

// Position counts the executions before this one in its line: 0 is next. It is
// -1 when the execution is not queued.
func (s *Store) Position(ctx context.Context, r *execution.Record) (int, error) {
	if r.Status != execution.Queued {
		return -1, nil
	}
	own := s.prefixOf(r.ID)
	pipe := s.rdb.Pipeline()
	rank := pipe.ZRank(ctx, queueKey(own, r.Spec.Queue), string(r.ID))
	before := "(" + strconv.FormatInt(millis(r.EligibleAt), 10)
	var others []interface{ Val() int64 }
	for _, p := range s.prefixes() {
		if p != own {
			others = append(others, pipe.ZCount(ctx, queueKey(p, r.Spec.Queue), "-inf", before))
		}
	}
	_, err := pipe.Exec(ctx)
	if isNil(err) {
		return -1, nil // claimed or cancelled meanwhile
	}
	if err != nil {
		return 0, wrap("read position", err)
	}
	n := rank.Val()
	for _, c := range others {
		n += c.Val()
	}
	return int(n), nil
}
