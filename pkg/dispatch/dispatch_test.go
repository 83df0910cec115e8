package dispatch_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/longhaul/longhaul/pkg/dispatch"
	"github.com/longhaul/longhaul/pkg/execution"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// records numbers what it accepts.
type records struct {
	dispatch.Records
	mu     sync.Mutex // guards n
	n      int
	inLine bool // it writes the tickets too
}

func (r *records) NewID(context.Context, string, string) (execution.ID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	return execution.ID(strconv.Itoa(r.n)), nil
}

func (r *records) CreateAs(_ context.Context, id execution.ID, s *execution.Spec, _, _ string, line execution.Script) (execution.Created, error) {
	return execution.Created{Record: &execution.Record{ID: id, Spec: *s}, InLine: r.inLine && line.Text == "line "+string(id)}, nil
}

// tasks keeps what it is handed; it refuses, or hangs, as it is told.
type tasks struct {
	mu      sync.Mutex // guards the fields below
	got     []string
	batches int
	refuse  int
	hang    chan struct{}
}

func (l *tasks) Enqueue(_ context.Context, tickets ...execution.Ticket) error {
	l.mu.Lock()
	hang := l.hang
	l.mu.Unlock()
	if hang != nil {
		<-hang
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches++
	if l.refuse > 0 {
		l.refuse--
		return errors.New("Redis is away")
	}
	for _, t := range tickets {
		l.got = append(l.got, string(t.ID))
	}
	return nil
}

func (l *tasks) Draft(_ context.Context, t execution.Ticket) (execution.Script, error) {
	return execution.Script{Text: "line " + string(t.ID)}, nil
}

func (l *tasks) Delete(context.Context, execution.Ticket) error { return nil }

func submit(t *testing.T, d *dispatch.Dispatcher, n int) {
	t.Helper()
	for range n {
		if _, err := d.Submit(t.Context(), execution.Spec{Queue: "default"}, dispatch.Options{}); err != nil {
			t.Fatal(err)
		}
	}
}

func inOrder(n int) (want []string) {
	for i := range n {
		want = append(want, strconv.Itoa(i+1))
	}
	return want
}

func TestTicketsThatGatherGoTogetherAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		l := &tasks{hang: hang}
		d := dispatch.New(&records{}, l, slog.New(slog.DiscardHandler))
		submit(t, d, 100) // answered while the first ticket is on its way
		close(hang)
		d.Flush(t.Context())
		if !slices.Equal(l.got, inOrder(100)) {
			t.Errorf("handed over: %v", l.got)
		}
		if l.batches > 3 {
			t.Errorf("in %d batches", l.batches)
		}
	})
}

func TestATicketWrittenWithItsRecordIsNotHandedOverAgain(t *testing.T) {
	l := &tasks{}
	d := dispatch.New(&records{inLine: true}, l, slog.New(slog.DiscardHandler))
	submit(t, d, 3)
	d.Flush(t.Context())
	if l.batches != 0 {
		t.Errorf("handed over: %v", l.got)
	}
}

func TestATicketThatIsRefusedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &tasks{refuse: 3}
		d := dispatch.New(&records{}, l, slog.New(slog.DiscardHandler))
		begun := time.Now()
		submit(t, d, 3)
		d.Flush(t.Context())
		if !slices.Equal(l.got, inOrder(3)) {
			t.Errorf("handed over: %v", l.got)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("a short outage delays it by %v", took)
		}
	})
}

func TestATicketThatIsRefusedForLongIsLeftToTheReaper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		l := &tasks{refuse: 1 << 20}
		d := dispatch.New(&records{}, l, slog.New(slog.NewTextHandler(&said, nil)))
		submit(t, d, 1)
		d.Flush(t.Context())
		if !strings.Contains(said.String(), "the reaper will") {
			t.Errorf("the log says %q", said.String())
		}
		l.mu.Lock()
		l.refuse = 0
		l.mu.Unlock()
		submit(t, d, 1) // and the next one goes its way
		d.Flush(t.Context())
		if !slices.Equal(l.got, []string{"2"}) {
			t.Errorf("handed over: %v", l.got)
		}
	})
}

func TestFlushGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		l := &tasks{hang: hang}
		d := dispatch.New(&records{}, l, slog.New(slog.DiscardHandler))
		d.Flush(t.Context()) // nothing to wait for
		submit(t, d, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.Flush(ctx)
		if ctx.Err() == nil || len(l.got) != 0 {
			t.Errorf("it did not wait: %v", l.got)
		}
		close(hang)
		d.Flush(t.Context())
		if !slices.Equal(l.got, inOrder(2)) {
			t.Errorf("handed over: %v", l.got)
		}
	})
}
