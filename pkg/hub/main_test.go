package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const id execution.ID = "exec_1762548673499_vqx7d3cpo"

// memory is a Source and its Bells. Events are stored in batches, as in Redis.
type memory struct {
	mu       sync.Mutex
	batches  [][]execution.Event
	last     execution.Cursor
	rings    map[chan struct{}]bool
	lossy    func() bool  // this bell gets lost
	fail     func() error // this read fails
	reads    int
	bytes    int // read so far
	reading  int // reads at this moment
	most     int // of them
	blocked  chan struct{}
	listened int
}

func newMemory() *memory { return &memory{rings: map[chan struct{}]bool{}} }

func (m *memory) Listen(execution.ID) (<-chan struct{}, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ring := make(chan struct{}, 1)
	m.rings[ring] = true
	m.listened++
	return ring, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.rings, ring)
	}
}

func (m *memory) Read(ctx context.Context, _ execution.ID, after execution.Cursor, maxBytes int) ([]execution.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	m.reading++
	m.most = max(m.most, m.reading)
	defer func() { m.reading-- }()
	if m.blocked != nil {
		blocked := m.blocked
		m.mu.Unlock()
		select {
		case <-blocked:
		case <-ctx.Done():
		}
		m.mu.Lock()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if m.fail != nil {
		if err := m.fail(); err != nil {
			return nil, err
		}
	}
	var events []execution.Event
	size := 0
	for _, b := range m.batches {
		if b[len(b)-1].Seq <= after {
			continue
		}
		if size > 0 && size >= maxBytes {
			break
		}
		events = append(events, b...) // the whole batch, as a lazy source would
		for i := range b {
			size += b[i].Size()
		}
	}
	m.bytes += size
	return events, nil
}

// append stores one batch of events, each with a text, and rings.
func (m *memory) append(texts ...string) {
	events := make([]execution.Event, len(texts))
	for i, text := range texts {
		events[i] = execution.Event{Type: execution.EventLog, Stream: execution.Stdout, Bytes: []byte(text)}
	}
	m.store(events...)
}

func (m *memory) end() {
	m.store(execution.Event{Type: execution.EventEnd, Data: []byte(`{}`)})
}

func (m *memory) store(events ...execution.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range events {
		m.last++
		events[i].Seq = m.last
	}
	m.batches = append(m.batches, events)
	m.ring()
}

func (m *memory) ring() {
	for ring := range m.rings {
		if m.lossy != nil && m.lossy() {
			continue
		}
		select {
		case ring <- struct{}{}:
		default:
		}
	}
}

var errAway = errors.New("the source is away")

// encode gives frames such as "7 log text\n".
func encode(e *execution.Event) ([]byte, error) {
	return fmt.Appendf(nil, "%d %s %s\n", e.Seq, e.Type, e.Bytes), nil
}

// texts are n random texts, some of them long.
func texts(rnd *rand.Rand, n, longest int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = string(make([]byte, rnd.IntN(longest)))
	}
	return list
}
