package hub

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

// shelf is a Source as fast as memory: events by index.
type shelf struct {
	mu     sync.Mutex
	events []execution.Event
	bell   chan struct{}
}

func (s *shelf) Listen(execution.ID) (<-chan struct{}, func()) { return s.bell, func() {} }

func (s *shelf) Read(_ context.Context, _ execution.ID, after execution.Cursor, maxBytes int) ([]execution.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.events[min(int(after), len(s.events)):]
	n := 0
	for size := 0; n < len(list) && size < maxBytes; n++ {
		size += list[n].Size()
	}
	return slices.Clone(list[:n]), nil // as decoding would, it makes new events
}

func (s *shelf) add(n int, e execution.Event) execution.Cursor {
	s.mu.Lock()
	for range n {
		e.Seq = execution.Cursor(len(s.events) + 1)
		s.events = append(s.events, e)
	}
	last := execution.Cursor(len(s.events))
	s.mu.Unlock()
	select {
	case s.bell <- struct{}{}:
	default:
	}
	return last
}

// sse is about what the HTTP side encodes.
func sse(e *execution.Event) ([]byte, error) {
	data := e.JSON()
	return fmt.Appendf(make([]byte, 0, len(data)+48), "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, data), nil
}

var line = execution.Event{Type: execution.EventLog, Stream: execution.Stdout, Attempt: 1, Bytes: []byte(strings.Repeat("x", 99) + "\n")}

// BenchmarkFanOut delivers lines to 1,000 subscribers, each with a write to the
// kernel. The limit is one loop that writes each ready frame to all of them.
// With burst=1 every line is awaited by all, so nothing can coalesce: the worst
// case.
func BenchmarkFanOut(b *testing.B) {
	const subscribers = 1000
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd()) // bare writes: an os.File locks, and this one is shared
	b.Run("limit", func(b *testing.B) {
		line := line
		line.Seq = 1
		frame, _ := sse(&line)
		for b.Loop() {
			for range subscribers {
				_, _ = syscall.Write(fd, frame)
			}
		}
		b.ReportMetric(subscribers*float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	})
	for _, burst := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("burst=%d", burst), func(b *testing.B) {
			src := &shelf{bell: make(chan struct{}, 1)}
			h := New(src, src, Options{Encode: sse})
			var all, round sync.WaitGroup
			var target execution.Cursor
			ctx, cancel := context.WithCancel(b.Context())
			for range subscribers {
				all.Go(func() {
					ctx, cancel := context.WithCancel(ctx) // each has its own, as each request has
					defer cancel()
					s := h.Subscribe(id, 0)
					defer s.Close()
					for {
						batch, err := s.Next(ctx)
						if err != nil {
							return
						}
						for _, f := range batch.Frames {
							_, _ = syscall.Write(fd, f)
						}
						if batch.Last == target {
							round.Done()
						}
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				round.Add(subscribers)
				target = execution.Cursor(len(src.events) + burst)
				src.add(burst, line)
				round.Wait()
			}
			perSecond := float64(subscribers*burst*b.N) / b.Elapsed().Seconds()
			b.ReportMetric(perSecond, "deliveries/s")
			cancel()
			all.Wait()
			_ = h.Close(context.WithoutCancel(ctx))
		})
	}
}

// BenchmarkReplay brings 1 M lines, in 1,526 chunks of 64 KiB, to one
// subscriber. The limit is to encode them.
func BenchmarkReplay(b *testing.B) {
	src := &shelf{bell: make(chan struct{}, 1)}
	chunk := line
	chunk.Bytes = []byte(strings.Repeat(string(line.Bytes), 64<<10/100))
	chunks := 1_000_000 / (len(chunk.Bytes) / 100)
	last := src.add(chunks, chunk)
	lines := func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	}
	for _, mode := range []struct {
		name   string
		encode func(*execution.Event) ([]byte, error)
	}{
		{"SSE", sse},
		{"raw", func(e *execution.Event) ([]byte, error) { return slices.Clone(e.Bytes), nil }},
	} {
		b.Run(mode.name+" limit", func(b *testing.B) {
			for b.Loop() {
				for i := range src.events {
					frame, _ := mode.encode(&src.events[i])
					_, _ = io.Discard.Write(frame)
				}
			}
			lines(b)
		})
		b.Run(mode.name, func(b *testing.B) {
			h := New(src, src, Options{Encode: mode.encode})
			for i := 0; b.Loop(); i++ {
				s := h.Subscribe(execution.ID(fmt.Sprint(id, i)), 0) // a topic of its own
				for at := execution.Cursor(0); at < last; {
					batch, err := s.Next(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					at = batch.Last
					_, _ = batch.Frames.WriteTo(io.Discard)
				}
				s.Close()
			}
			lines(b)
			_ = h.Close(b.Context())
		})
	}
}
