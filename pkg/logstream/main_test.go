package logstream

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var lease = execution.Lease{ID: "exec_1762548673499_vqx7d3cpo", Attempt: 2, Token: "t"}

// memory is a Sink that keeps events. fail, if set, is asked before each append.
type memory struct {
	fail func(b execution.Batch) error

	mu      sync.Mutex
	batches []execution.Batch // their Data is nil
	sizes   []int
	events  []execution.Event
	changed chan struct{}
}

func newMemory() *memory { return &memory{changed: make(chan struct{}, 1)} }

func (m *memory) Append(_ context.Context, l execution.Lease, b execution.Batch) error {
	if m.fail != nil {
		if err := m.fail(b); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	events, err := execution.DecodeBatch(slices.Clone(b.Data), execution.Cursor(len(m.events)+1))
	switch {
	case err != nil:
		return err
	case l != lease || b.No != uint64(len(m.batches)+1) || b.N != len(events):
		return errors.New("wrong lease, number or count")
	}
	m.sizes = append(m.sizes, len(b.Data))
	b.Data, b.Progress = nil, slices.Clone(b.Progress)
	m.batches = append(m.batches, b)
	m.events = append(m.events, events...)
	select {
	case m.changed <- struct{}{}:
	default:
	}
	return nil
}

func (m *memory) all() []execution.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// log joins the chunks of a stream.
func (m *memory) log(s execution.Stream) string {
	var b []byte
	for _, e := range m.all() {
		if e.Stream == s {
			b = append(b, e.Bytes...)
		}
	}
	return string(b)
}

// texts lists the chunks, and the other events as type and data.
func (m *memory) texts() (list []string) {
	for _, e := range m.all() {
		if e.Stream != execution.NoStream {
			list = append(list, e.Stream.String()+" "+string(e.Bytes))
		} else {
			list = append(list, string(e.Type)+" "+string(e.Data))
		}
	}
	return list
}

// start runs w; the result waits for its end.
func start(ctx context.Context, w *Writer) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() error { return <-done }
}

// pieces is a reader that gives one piece per read.
type pieces [][]byte

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; len((*p)[0]) == 0 {
		*p = (*p)[1:]
	}
	return n, nil
}
