package logstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/longhaul/longhaul/pkg/execution"
)

// split cuts text into random pieces.
func split(rnd *rand.Rand, text []byte, most int) *pieces {
	var p pieces
	for len(text) > 0 {
		n := min(1+rnd.IntN(most), len(text))
		p, text = append(p, text[:n]), text[n:]
	}
	return &p
}

func TestEveryByteArrivesOnceAndInOrder(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		texts := map[execution.Stream][]byte{}
		for _, s := range []execution.Stream{execution.Stdout, execution.Stderr} {
			alphabet := [][]string{{"a", "b\n"}, {"ä€😀", "x", "\n"}, {"\xff", "\xe2\x82", "\n", "ok "}}[rnd.IntN(3)]
			var b bytes.Buffer
			for b.Len() < rnd.IntN(4000) {
				b.WriteString(alphabet[rnd.IntN(len(alphabet))])
			}
			texts[s] = b.Bytes()
		}
		sink := newMemory()
		o := Options{MaxBatch: 32 + rnd.IntN(200), Buffer: 64 + rnd.IntN(4000)}
		if rnd.IntN(2) == 0 {
			o.Redactor = NewRedactor([]string{"never-there"})
		}
		w := NewWriter(sink, lease, o)
		wait := start(t.Context(), w)
		var pumps sync.WaitGroup
		for s, text := range texts {
			r := split(rnd, text, 1+rnd.IntN(300))
			pumps.Go(func() {
				if err := w.Pump(s, r); err != nil {
					t.Error(err)
				}
			})
		}
		pumps.Wait()
		w.Close()
		if err := wait(); err != nil {
			t.Fatal(err)
		}
		for s, text := range texts {
			if sink.log(s) != string(text) {
				t.Fatalf("seed %d: %s differs", seed, s)
			}
		}
		for i, e := range sink.all() {
			if len(e.Bytes) > o.MaxBatch || e.Attempt != lease.Attempt {
				t.Fatalf("seed %d: chunk %d has %d bytes, attempt %d", seed, i, len(e.Bytes), e.Attempt)
			}
			if utf8.Valid(texts[e.Stream]) && !utf8.Valid(e.Bytes) {
				t.Fatalf("seed %d: chunk %d splits a rune: %q", seed, i, e.Bytes)
			}
		}
		for i, n := range sink.sizes {
			if n > o.MaxBatch {
				t.Fatalf("seed %d: batch %d has %d bytes of %d", seed, i, n, o.MaxBatch)
			}
		}
		if st := w.Stats(); st.LogBytes != int64(len(texts[1])+len(texts[2])) || st.Held != 0 || st.Events != int64(len(sink.all())) {
			t.Fatalf("seed %d: %+v", seed, st)
		}
	}
}

func TestAFullChunkEndsAfterItsLastNewline(t *testing.T) {
	sink := newMemory()
	w := NewWriter(sink, lease, Options{MaxBatch: 16 + chunkHeader})
	for _, s := range []string{"one\ntwo\nthree", " and on\nfour\n", "0123456789012345678901234567", "\nlast"} {
		w.push(execution.Stdout, time.Now(), []byte(s))
	}
	w.Close()
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"stdout one\ntwo\n", "stdout three and on\n", "stdout four\n", "stdout 0123456789012345", "stdout 678901234567\n", "stdout last"}
	got := sink.texts()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%q", got)
	}
}

func TestStreamsAndEventsKeepTheOrderInWhichTheyCame(t *testing.T) {
	sink := newMemory()
	w := NewWriter(sink, lease, Options{Now: func() time.Time { return time.UnixMilli(1762548673499) }})
	out, errs := &pump{w: w, stream: execution.Stdout}, &pump{w: w, stream: execution.Stderr}
	out.write([]byte("one\ntwo "))
	out.write([]byte("halves\nthree"))
	errs.write([]byte("oops\n"))
	out.write([]byte(" and a half\n"))
	if err := w.Emit(execution.Event{Type: execution.EventProgress, Data: []byte(`{"percent":1}`)}); err != nil {
		t.Fatal(err)
	}
	if err := w.Emit(execution.Event{Type: execution.EventProgress, Data: []byte(`{"percent":2}`)}); err != nil {
		t.Fatal(err)
	}
	errs.write([]byte("end\n"))
	w.Close()
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"stdout one\ntwo halves\nthree", "stderr oops\n", "stdout  and a half\n",
		`progress {"percent":1}`, `progress {"percent":2}`, "stderr end\n",
	}
	if got := sink.texts(); !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if b := sink.batches[0]; len(sink.batches) != 1 || b.N != 6 || b.LogBytes != 41 || string(b.Progress) != `{"percent":2}` {
		t.Errorf("%+v", sink.batches)
	}
	for _, e := range sink.all() {
		if e.Time.UnixMilli() != 1762548673499 || e.Attempt != 2 {
			t.Errorf("%+v", e)
		}
	}
	if err := w.Emit(execution.Event{Type: "late"}); err == nil {
		t.Error("an event after Close was taken")
	}
}

func TestAnIncompleteLineWaitsForItsNewlineButNotForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := newMemory()
		w := NewWriter(sink, lease, Options{Redactor: NewRedactor([]string{"topsecret"})})
		wait := start(t.Context(), w)
		r, engine := io.Pipe()
		pumped := make(chan error, 1)
		go func() { pumped <- w.Pump(execution.Stdout, r) }()
		begin := time.Now()
		steps := []struct {
			in   string
			wait time.Duration
			out  string // all that has arrived by then
		}{
			{"a line\n", 0, "a line\n"},
			{"Name", 49 * time.Millisecond, "a line\n"},
			{"", time.Millisecond, "a line\nName"},
			{"two\npart", 0, "a line\nNametwo\n"},
			{" more\n", 10 * time.Millisecond, "a line\nNametwo\npart more\n"},
			{"€"[:2], time.Second, "a line\nNametwo\npart more\n"}, // half a rune waits for the rest
			{"€"[2:], 50 * time.Millisecond, "a line\nNametwo\npart more\n€"},
			{" to", 49 * time.Millisecond, "a line\nNametwo\npart more\n€"},
			{"", time.Millisecond, "a line\nNametwo\npart more\n€ to"}, // it may begin a secret
			{"psecret\n", 0, "a line\nNametwo\npart more\n€ to***\n"},
			{"to", 50 * time.Millisecond, "a line\nNametwo\npart more\n€ to***\nto"}, // held by the redactor alone
		}
		for _, step := range steps {
			if step.in != "" {
				_, _ = io.WriteString(engine, step.in)
			}
			synctest.Wait()
			if step.wait > 0 {
				time.Sleep(step.wait)
				synctest.Wait()
			}
			if got := sink.log(execution.Stdout); got != step.out {
				t.Errorf("%v after the start, behind %q: %q, want %q", time.Since(begin), step.in, got, step.out)
			}
		}
		_ = engine.Close()
		if err := <-pumped; err != nil {
			t.Error(err)
		}
		w.Close()
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestAFailedAppendIsRepeatedWithItsNumberUntilItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := newMemory()
		var at []time.Duration
		begin := time.Now()
		sink.fail = func(b execution.Batch) error {
			at = append(at, time.Since(begin).Round(time.Millisecond))
			if len(at) < 9 {
				return execution.Errorf(execution.Unavailable, "Redis is away")
			}
			return nil
		}
		w := NewWriter(sink, lease, Options{})
		w.push(execution.Stdout, time.Now(), []byte("one\n"))
		wait := start(t.Context(), w)
		synctest.Wait()
		w.push(execution.Stdout, time.Now(), []byte("two\n"))
		time.Sleep(time.Minute)
		w.Close()
		if err := wait(); err != nil {
			t.Fatal(err)
		}
		ms := time.Millisecond
		want := []time.Duration{0, 50 * ms, 150 * ms, 350 * ms, 750 * ms, 1550 * ms, 3150 * ms, 5150 * ms, 7150 * ms, 7150 * ms}
		if !reflect.DeepEqual(at, want) {
			t.Errorf("tried at %v", at)
		}
		if got := sink.texts(); !reflect.DeepEqual(got, []string{"stdout one\n", "stdout two\n"}) || w.Stats().Retries != 8 {
			t.Errorf("%q, %+v", got, w.Stats())
		}
	})
}

// endless is an engine that never stops printing until it is told to.
type endless struct{ stop chan struct{} }

func (e endless) Read(b []byte) (int, error) {
	select {
	case <-e.stop:
		return 0, io.EOF
	default:
		return copy(b, bytes.Repeat([]byte("all work and no play\n"), 100)), nil
	}
}

func TestAfterTheFencePumpsDrainAndDiscard(t *testing.T) {
	cause := errors.New("drained")
	for name, want := range map[string]error{"fenced": execution.ErrFenced, "cancelled": cause} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			sink := newMemory()
			sink.fail = func(b execution.Batch) error {
				if b.No < 3 {
					return nil
				}
				if name == "cancelled" {
					cancel(cause)
					return ctx.Err()
				}
				return want
			}
			w := NewWriter(sink, lease, Options{Buffer: 10_000})
			engine := endless{make(chan struct{})}
			pumped := make(chan error, 1)
			go func() { pumped <- w.Pump(execution.Stdout, engine) }()
			if err := w.Run(ctx); !errors.Is(err, want) {
				t.Errorf("Run: %v", err)
			}
			if err := w.Emit(execution.Event{Type: "late"}); !errors.Is(err, want) {
				t.Errorf("Emit: %v", err)
			}
			close(engine.stop)
			if err := <-pumped; err != nil {
				t.Errorf("Pump: %v", err)
			}
			w.Close()
			if held := w.Stats().Held; held != 0 {
				t.Errorf("holds %d bytes", held)
			}
		})
	}
}

// counted counts what is read from it.
type counted struct {
	io.Reader
	mu sync.Mutex
	n  int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	return n, err
}

func TestAFullBufferStopsTheEngineAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := newMemory()
		var back atomic.Bool
		sink.fail = func(execution.Batch) error {
			if !back.Load() {
				return execution.Errorf(execution.StorageFull, "Redis is full")
			}
			return nil
		}
		const buffer = 1 << 20
		w := NewWriter(sink, lease, Options{Buffer: buffer})
		wait := start(t.Context(), w)
		text := logText(4 << 20)
		engine := &counted{Reader: bytes.NewReader(text)}
		pumped := make(chan error, 1)
		go func() { pumped <- w.Pump(execution.Stdout, engine) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if held := w.Stats().Held; engine.n > buffer+2*readSize || held < buffer || held > buffer+4*readSize {
			t.Errorf("%d bytes read, %d held", engine.n, held)
		}
		if err := w.Emit(execution.Event{Type: "ours", Data: []byte(`{}`)}); err != nil { // does not block
			t.Error(err)
		}
		back.Store(true)
		if err := <-pumped; err != nil {
			t.Error(err)
		}
		w.Close()
		if err := wait(); err != nil {
			t.Error(err)
		}
		if sink.log(execution.Stdout) != string(text) {
			t.Error("bytes differ")
		}
	})
}

func TestCloseDoesNotWaitForAPipeThatSomebodyHolds(t *testing.T) {
	sink := newMemory()
	w := NewWriter(sink, lease, Options{Redactor: NewRedactor([]string{"topsecret"})})
	r, engine := io.Pipe()
	pumped := make(chan error, 1)
	go func() { pumped <- w.Pump(execution.Stdout, r) }()
	_, _ = io.WriteString(engine, "the last words, top")
	_, _ = engine.Write(nil) // returns when the pump reads again, and so has taken the words
	w.Close()
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sink.log(execution.Stdout); got != "the last words, top" {
		t.Errorf("%q", got)
	}
	_, _ = io.WriteString(engine, "too late")
	_ = engine.CloseWithError(io.ErrUnexpectedEOF)
	if err := <-pumped; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Pump: %v", err)
	}
}

func TestTailIsTheEndOfStderrElseOfStdout(t *testing.T) {
	lines := strings.Repeat("x", 50) + "\n"
	tests := []struct{ out, err, want string }{
		{"", "", ""},
		{"only this\n\n", " \n", "only this"},
		{"out", "panic: no\r\n", "panic: no"},
		{"", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n", "3\n4\n5\n6\n7\n8\n9\n10\n11\n12"},
		{strings.Repeat(lines, 300), "", strings.TrimSuffix(strings.Repeat(lines, 10), "\n")},
		{"", strings.Repeat("€", 3000), strings.Repeat("€", 682)},
		{"", "bad \xff byte", "bad \uFFFD byte"},
	}
	for _, test := range tests {
		for _, size := range []int{1, 7, 1500, 1 << 20} {
			w := NewWriter(newMemory(), lease, Options{})
			for s, text := range map[execution.Stream]string{execution.Stdout: test.out, execution.Stderr: test.err} {
				for len(text) > 0 {
					n := min(size, len(text))
					w.push(s, time.Now(), []byte(text[:n]))
					text = text[n:]
				}
			}
			if got := w.Tail(); got != test.want {
				t.Errorf("pieces of %d: %q, want %q", size, got, test.want)
			}
		}
	}
}
