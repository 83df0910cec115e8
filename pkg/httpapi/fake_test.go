package httpapi_test

import (
	"cmp"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longhaul/longhaul/pkg/dispatch"
	"github.com/longhaul/longhaul/pkg/engine"
	"github.com/longhaul/longhaul/pkg/execution"
)

// store is all that the server needs behind it, in memory, with the meaning of
// the real one: events are numbered without holes, a record's Last is the number
// of its newest event, each append rings, and a terminal status stays.
type store struct {
	killed atomic.Int32

	mu    sync.Mutex
	recs  map[execution.ID]*execution.Record
	logs  map[execution.ID][]execution.Event
	bells map[execution.ID]map[chan struct{}]struct{}
	keys  map[string]execution.ID
	order []execution.ID
	fail  error // what every call returns, if set
	full  error // what Submit returns, if set
	reads int   // of Read, to see that pages are bounded
	lines execution.QueueStats

	workers []execution.Worker
	short   bool // a list finds nothing and says that it goes on
}

func newStore() *store {
	return &store{
		recs: map[execution.ID]*execution.Record{}, logs: map[execution.ID][]execution.Event{},
		bells: map[execution.ID]map[chan struct{}]struct{}{}, keys: map[string]execution.ID{},
	}
}

func (s *store) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
	for id := range s.bells {
		s.ring(id)
	}
}

func (s *store) NewID(context.Context, dispatch.Options) (execution.ID, error) {
	return execution.NewID(time.Now()), nil
}

func (s *store) Submit(_ context.Context, spec execution.Spec, o dispatch.Options) (dispatch.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return dispatch.Receipt{}, s.fail
	}
	if s.full != nil {
		return dispatch.Receipt{}, s.full
	}
	key := o.Owner + "\x00" + o.IdempotencyKey
	if id, ok := s.keys[key]; ok && o.IdempotencyKey != "" {
		if !reflect.DeepEqual(s.recs[id].Spec, spec) {
			return dispatch.Receipt{}, execution.Errorf(execution.IdempotencyUsed, "this Idempotency-Key came with another request before")
		}
		return dispatch.Receipt{Record: s.copy(id), Position: s.position(id), Replayed: true}, nil
	}
	now := time.Now()
	id := cmp.Or(o.ID, execution.NewID(now))
	s.keys[key] = id
	s.order = append(s.order, id)
	s.recs[id] = &execution.Record{ID: id, Spec: spec, Status: execution.Queued, CreatedAt: now, EligibleAt: now}
	s.append(id, execution.Event{Type: execution.EventStatus, Data: json.RawMessage(`{"status":"queued"}`)})
	return dispatch.Receipt{Record: s.copy(id), Position: s.position(id)}, nil
}

func (s *store) Kill(ctx context.Context, id execution.ID) (dispatch.CancelReceipt, error) {
	s.killed.Add(1)
	return s.Cancel(ctx, id)
}

func (s *store) Cancel(_ context.Context, id execution.ID) (dispatch.CancelReceipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, err := s.find(id)
	if err != nil {
		return dispatch.CancelReceipt{}, err
	}
	switch {
	case rec.Status.Terminal() && rec.Status != execution.Cancelled:
		return dispatch.CancelReceipt{}, execution.Errorf(execution.Conflict, "has ended")
	case rec.CancelRequestedAt.IsZero():
		rec.CancelRequestedAt = time.Now()
		if rec.Status == execution.Queued {
			s.settle(id, execution.Outcome{Status: execution.Cancelled, Reason: execution.ReasonCancelled, Message: "cancelled on request"})
		}
	}
	return dispatch.CancelReceipt{Record: s.copy(id), Settled: rec.Status == execution.Cancelled}, nil
}

func (s *store) find(id execution.ID) (*execution.Record, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	rec, ok := s.recs[id]
	if !ok {
		return nil, execution.Errorf(execution.NotFound, "no such execution")
	}
	return rec, nil
}

func (s *store) copy(id execution.ID) *execution.Record {
	c := *s.recs[id]
	return &c
}

func (s *store) Get(_ context.Context, id execution.ID) (*execution.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(id); err != nil {
		return nil, err
	}
	return s.copy(id), nil
}

func (s *store) Position(_ context.Context, rec *execution.Record) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position(rec.ID), s.fail
}

func (s *store) position(id execution.ID) int {
	n := 0
	for _, other := range s.order {
		if other == id {
			return n
		}
		if s.recs[other].Status == execution.Queued {
			n++
		}
	}
	return n
}

func (s *store) List(_ context.Context, q execution.ListQuery) (page execution.ListPage, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return page, s.fail
	}
	if s.short {
		return execution.ListPage{Next: "1", Short: true}, nil
	}
	skip := 0
	if q.Cursor != "" {
		if skip, err = strconv.Atoi(q.Cursor); err != nil {
			return page, execution.InvalidField("cursor", "must be next_cursor of the page before")
		}
	}
	for i, id := range slices.Backward(s.order) {
		rec := s.recs[id]
		if len(s.order)-1-i < skip || !listed(rec, q) {
			continue
		}
		if len(page.Records) == q.Limit {
			page.Next = strconv.Itoa(len(s.order) - 1 - i)
			break
		}
		page.Records = append(page.Records, s.copy(id))
	}
	return page, nil
}

func listed(rec *execution.Record, q execution.ListQuery) bool {
	for k, v := range q.Labels {
		if rec.Spec.Labels[k] != v {
			return false
		}
	}
	return (len(q.Status) == 0 || slices.Contains(q.Status, rec.Status)) &&
		(q.Engine == "" || q.Engine == rec.Spec.Name()) && (q.Worker == "" || q.Worker == rec.Worker) &&
		strings.Contains(strings.Join(rec.Spec.Args, " "), q.Text) &&
		!rec.CreatedAt.Before(q.Since) && (q.Until.IsZero() || rec.CreatedAt.Before(q.Until))
}

func (s *store) Counts(context.Context) (map[execution.Status]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[execution.Status]int64{}
	for _, rec := range s.recs {
		n[rec.Status]++
	}
	return n, s.fail
}

func (s *store) StatsByQueue(context.Context) (execution.QueueStats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines, s.fail
}

func (s *store) Workers(context.Context) ([]execution.Worker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.workers, s.fail
}

// Read gives at most as many bytes as asked for, but at least one event.
func (s *store) Read(_ context.Context, id execution.ID, after execution.Cursor, maxBytes int) (events []execution.Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(id); err != nil {
		return nil, err
	}
	s.reads++
	for _, e := range s.logs[id] {
		if e.Seq <= after {
			continue
		}
		if maxBytes -= e.Size(); maxBytes < 0 && len(events) > 0 {
			break
		}
		events = append(events, e)
	}
	return events, nil
}

// ReadBack gives at most as many bytes as asked for, but at least one event.
func (s *store) ReadBack(_ context.Context, id execution.ID, before execution.Cursor, maxBytes int) (events []execution.Event, from execution.Cursor, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(id); err != nil {
		return nil, 0, err
	}
	s.reads++
	for _, e := range slices.Backward(s.logs[id]) {
		if e.Seq >= before {
			continue
		}
		if maxBytes -= e.Size(); maxBytes < 0 && len(events) > 0 {
			break
		}
		events, from = append([]execution.Event{e}, events...), e.Seq
	}
	return events, from, nil
}

func (s *store) Listen(id execution.ID) (<-chan struct{}, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ring := make(chan struct{}, 1)
	if s.bells[id] == nil {
		s.bells[id] = map[chan struct{}]struct{}{}
	}
	s.bells[id][ring] = struct{}{}
	return ring, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.bells[id], ring)
	}
}

// listeners says how many wait for id's bell.
func (s *store) listeners(id execution.ID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bells[id])
}

// append needs the mutex. A gap takes the number of the last missing event.
func (s *store) append(id execution.ID, e execution.Event) {
	rec := s.recs[id]
	if e.Type == execution.EventGap {
		var gap execution.GapData
		_ = json.Unmarshal(e.Data, &gap)
		rec.Last = gap.To - 1
	}
	rec.Last++
	rec.LogBytes += int64(len(e.Bytes))
	e.Seq, e.Attempt = rec.Last, rec.Attempt
	if e.Time.IsZero() {
		e.Time = time.Now().UTC().Truncate(time.Millisecond)
	}
	s.logs[id] = append(s.logs[id], e)
	s.ring(id)
}

// settle needs the mutex.
func (s *store) settle(id execution.ID, o execution.Outcome) {
	rec := s.recs[id]
	rec.Status, rec.EndedAt, rec.Outcome = o.Status, time.Now(), &o
	s.append(id, execution.Event{Type: execution.EventEnd, Data: json.RawMessage(`{"status":"` + string(o.Status) + `"}`)})
}

// The worker's side.

func (s *store) start(id execution.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.recs[id]
	rec.Status, rec.StartedAt, rec.Worker = execution.Running, time.Now(), "worker-1"
	rec.Attempt++
	s.append(id, execution.Event{Type: execution.EventStatus, Data: json.RawMessage(`{"status":"running"}`)})
}

func (s *store) log(id execution.ID, stream execution.Stream, text string) {
	s.add(id, execution.Event{Type: execution.EventLog, Stream: stream, Bytes: []byte(text)})
}

func (s *store) add(id execution.ID, e execution.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(id, e)
}

func (s *store) end(id execution.ID, o execution.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(id, o)
}

func (s *store) finish(id execution.ID) {
	zero := 0
	s.end(id, execution.Outcome{Status: execution.Completed, Reason: execution.ReasonExited, ExitCode: &zero, CPUSeconds: 1.5, PeakMemoryBytes: 4096})
}

// catalog allows python and the engine agent.
type catalog struct{}

func (catalog) Complete(spec *execution.Spec) error {
	switch {
	case spec.Engine != "" && spec.Engine != "agent":
		return execution.InvalidField("engine", "is not an engine that the catalog allows")
	case spec.Command == "rm":
		return execution.Errorf(execution.Forbidden, "the catalog forbids this command (the key commands in engines.yaml)")
	case spec.Command != "" && spec.Command != "python":
		return execution.InvalidField("command", "is not a command that the catalog allows")
	}
	return nil
}

func (catalog) Public() []engine.Description {
	return []engine.Description{{Name: "agent", Kind: "engine", TakesInput: true, Params: json.RawMessage(`{"type":"object"}`), Defaults: engine.Defaults{TimeoutSeconds: 60}}}
}

// ring needs the mutex.
func (s *store) ring(id execution.ID) {
	for ring := range s.bells[id] {
		select {
		case ring <- struct{}{}:
		default:
		}
	}
}
