package logstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

// flaky is a sink that can be away.
type flaky struct {
	mu      sync.Mutex
	away    error
	batches []execution.Batch
	tried   chan struct{} // a token per refused append
}

func newFlaky() *flaky { return &flaky{tried: make(chan struct{}, 1000)} }

func (f *flaky) Append(_ context.Context, _ execution.Lease, b execution.Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away != nil {
		select {
		case f.tried <- struct{}{}:
		default:
		}
		return f.away
	}
	b.Data = append([]byte(nil), b.Data...)
	f.batches = append(f.batches, b)
	return nil
}

// newest is a gap as long as nothing has arrived.
func (f *flaky) newest() execution.Batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.batches) == 0 {
		return execution.Batch{Gap: &execution.GapNote{}}
	}
	return f.batches[len(f.batches)-1]
}

func (f *flaky) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = err
}

var errAway = execution.Errorf(execution.Unavailable, "away")

// spooling runs a spool over a flaky sink; finish closes it and waits.
func spooling(t *testing.T, sink Sink, budget int64) (s *Spool, path string, finish func() error) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "spool")
	s = NewSpool(sink, lease, path, budget, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	return s, path, func() error { s.Close(); return <-done }
}

func put(t *testing.T, s *Spool, from, to int) {
	t.Helper()
	for no := from; no <= to; no++ {
		b := execution.Batch{No: uint64(no), N: 1, Data: fmt.Appendf(nil, "batch %d", no), LogBytes: 10}
		if no%3 == 0 {
			b.Progress = fmt.Appendf(nil, `{"percent":%d}`, no)
		}
		if err := s.Append(t.Context(), lease, b); err != nil {
			t.Fatalf("append %d: %v", no, err)
		}
	}
}

func TestASpoolKeepsTheOrderThroughAnOutage(t *testing.T) {
	sink := newFlaky()
	s, path, finish := spooling(t, sink, 1<<20)
	put(t, s, 1, 3)
	if _, err := os.Stat(path); err == nil {
		t.Error("the disk was used although the sink answered")
	}
	sink.set(errAway)
	put(t, s, 4, 50)
	<-sink.tried
	sink.set(nil)
	put(t, s, 51, 60) // behind what is kept, whether or not it has gone by now
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	if len(sink.batches) != 60 {
		t.Fatalf("%d batches arrived", len(sink.batches))
	}
	for i, b := range sink.batches {
		if no := i + 1; b.No != uint64(no) || string(b.Data) != fmt.Sprintf("batch %d", no) || (b.Progress != nil) != (no%3 == 0) || b.LogBytes != 10 {
			t.Fatalf("batch %d is %+v %q", no, b, b.Data)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is left behind")
	}
}

func TestBeyondItsBudgetASpoolSaysExactlyWhatIsMissing(t *testing.T) {
	sink := newFlaky()
	s, _, finish := spooling(t, sink, 500)
	sink.set(errAway)
	put(t, s, 1, 100)
	sink.set(nil)
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	last := sink.batches[len(sink.batches)-1]
	kept := len(sink.batches) - 1
	if kept < 10 || last.Gap == nil || last.N != 100-kept || last.Gap.Bytes != int64(10*(100-kept)) || last.No != 100 {
		t.Errorf("kept %d, then %+v %+v", kept, last, last.Gap)
	}
}

func TestAFullDiskIsForgottenOnceTheSinkAnswers(t *testing.T) {
	sink := newFlaky()
	full := filepath.Join(t.TempDir(), "full") // a link, since the spool removes its file
	if err := os.Symlink("/dev/full", full); err != nil {
		t.Fatal(err)
	}
	s := NewSpool(sink, lease, full, 1<<20, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	sink.set(errAway)
	put(t, s, 1, 3)
	sink.set(nil)
	last := 3
	for live := false; !live; live = sink.newest().Gap == nil { // what comes until the gap has gone belongs to it, or to one more
		if last++; last > 20_000 {
			t.Fatal("nothing arrives but gaps")
		}
		put(t, s, last, last)
	}
	put(t, s, last+1, last+10)
	s.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	next, gap := uint64(1), true
	for i, b := range sink.batches {
		if b.No != next+uint64(b.N)-1 || b.Gap != nil && !gap || b.Gap == nil && (next <= 3 || b.N != 1) {
			t.Errorf("batch %d of %d is %+v, and %d would be next", i, len(sink.batches), b, next)
		}
		next, gap = b.No+1, b.Gap != nil
	}
	if next != uint64(last+11) {
		t.Errorf("the last is %d of %d", next-1, last+10)
	}
}

func TestAfterAnOutageABusyEngineComesBackToLiveWriting(t *testing.T) {
	sink := newFlaky()
	s, path, finish := spooling(t, sink, 1<<20)
	sink.set(errAway)
	put(t, s, 1, 2000)
	<-sink.tried
	sink.set(nil)
	// One batch at a time, as fast as it is taken: it must not go on through the disk for ever.
	for no := 2001; ; no++ {
		put(t, s, no, no)
		if _, err := os.Stat(path); err != nil {
			break
		}
		if no == 20_000 {
			t.Fatal("still on disk")
		}
	}
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	for i, b := range sink.batches {
		if b.No != uint64(i+1) {
			t.Fatalf("batch %d stands at %d", b.No, i+1)
		}
	}
}

func TestADiskThatDoesNotGiveBackLeavesAGap(t *testing.T) {
	sink := newFlaky()
	sink.set(errAway)
	path := filepath.Join(t.TempDir(), "spool")
	s := NewSpool(sink, lease, path, 1<<20, slog.New(slog.DiscardHandler))
	put(t, s, 1, 10)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole[:len(whole)/2:len(whole)/2], make([]byte, len(whole)-len(whole)/2)...), 0o600); err != nil {
		t.Fatal(err)
	}
	sink.set(nil)
	s.Close()
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := sink.batches[len(sink.batches)-1]
	if n := len(sink.batches) - 1; last.Gap == nil || last.N != 10-n || last.Gap.Bytes != int64(10*(10-n)) || last.No != 10 {
		t.Errorf("after %d batches: %+v %+v", n, last, last.Gap)
	}
}

func TestAFencedSpoolGivesUpAndSaysSo(t *testing.T) {
	sink := newFlaky()
	s, path, finish := spooling(t, sink, 1<<20)
	sink.set(errAway)
	put(t, s, 1, 5)
	sink.set(execution.ErrFenced)
	if err := finish(); !errors.Is(err, execution.ErrFenced) {
		t.Errorf("run: %v", err)
	}
	if err := s.Append(t.Context(), lease, execution.Batch{No: 6, N: 1}); !errors.Is(err, execution.ErrFenced) {
		t.Errorf("append: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is left behind")
	}
}

func TestWhatADeadProcessLeftIsReplayed(t *testing.T) {
	sink := newFlaky()
	sink.set(errAway)
	path := filepath.Join(t.TempDir(), "spool")
	s := NewSpool(sink, lease, path, 1<<20, slog.New(slog.DiscardHandler)) // nobody runs it: the process is dead
	put(t, s, 1, 9)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-5], 0o600); err != nil { // it died in the middle of a write
		t.Fatal(err)
	}
	if err := Replay(t.Context(), sink, lease, path); err == nil {
		t.Error("replayed to a sink that is away")
	}
	sink.set(nil)
	for range 2 { // the second finds nothing
		if err := Replay(t.Context(), sink, lease, path); err != nil {
			t.Fatal(err)
		}
	}
	if len(sink.batches) != 8 || sink.batches[7].No != 8 {
		t.Errorf("%d batches arrived", len(sink.batches))
	}
}

func FuzzASpooledBatchIsReadBackOrRefused(f *testing.F) {
	f.Add(appendBatch(nil, execution.Batch{No: 3, N: 2, LogBytes: 9, Data: []byte("data"), Progress: []byte("{}")}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		if b, size, err := readBatch(bytes.NewReader(record)); err == nil {
			if again := appendBatch(nil, b); int64(len(again)) > size {
				t.Errorf("%d bytes were read as a batch of %d", size, len(again))
			}
		}
	})
}

func TestTheNewestMetricsComeBackFromTheDisk(t *testing.T) {
	sink := newFlaky()
	s, _, finish := spooling(t, sink, 1<<20)
	sink.set(errAway)
	b := execution.Batch{No: 1, N: 3}
	for _, e := range []execution.Event{
		{Type: execution.EventMetrics, Data: []byte(`{"processes":1}`)}, {Type: execution.EventMetrics, Data: []byte(`{"processes":2}`)}, {Type: "other", Data: []byte(`{}`)},
	} {
		b.Data = execution.AppendEvent(b.Data, &e)
	}
	if err := s.Append(t.Context(), lease, b); err != nil {
		t.Fatal(err)
	}
	sink.set(nil)
	if err := finish(); err != nil {
		t.Fatal(err)
	}
	if len(sink.batches) != 1 || string(sink.batches[0].Metrics) != `{"processes":2}` || sink.batches[0].Progress != nil {
		t.Errorf("handed on: %+v", sink.batches)
	}
}
