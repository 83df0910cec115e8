package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// join makes the frames of a batch one text.
func join(b Batch) string { return string(bytes.Join(b.Frames, nil)) }

// next is Next for a step of a test that must not fail.
func next(t *testing.T, s *Subscriber) string {
	t.Helper()
	b, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return join(b)
}

// waits checks that s has nothing to give for d.
func waits(t *testing.T, s *Subscriber, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if b, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%q, %v", join(b), err)
	}
}

func newHub(t *testing.T, m *memory, o Options) *Hub {
	if o.Encode == nil {
		o.Encode = encode
	}
	h := New(m, m, o)
	t.Cleanup(func() {
		if err := h.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestASubscriberGetsWhatWasThenWhatComesThenTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.append("one", "two")
		h := newHub(t, m, Options{})
		s := h.Subscribe(id, 0)
		if got := next(t, s); got != "1 log one\n2 log two\n" {
			t.Errorf("%q", got)
		}
		waits(t, s, time.Hour)
		m.append("three")
		synctest.Wait()
		m.append("four", "five")
		synctest.Wait()
		if got := next(t, s); got != "3 log three\n4 log four\n5 log five\n" {
			t.Errorf("%q", got)
		}
		late := h.Subscribe(id, 3)
		if got := next(t, late); got != "4 log four\n5 log five\n" {
			t.Errorf("%q", got)
		}
		m.end()
		for _, s := range []*Subscriber{s, late} {
			b, err := s.Next(t.Context())
			if err != nil || !b.End || b.Last != 6 || join(b) != "6 end \n" {
				t.Errorf("%+v, %v", b, err)
			}
			if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v", err)
			}
			s.Close()
			s.Close()
		}
		if _, err := late.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestWhoHasSeenTheEndIsToldAtOnce(t *testing.T) {
	m := newMemory()
	m.append("one", "two")
	m.end()
	h := newHub(t, m, Options{})
	for range 2 { // as the first of a topic, and as another
		s := h.Subscribe(id, 3)
		defer s.Close()
		if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	}
	early := h.Subscribe(id, 0) // behind the ring, which begins with the end
	defer early.Close()
	if got := next(t, early); got != "1 log one\n2 log two\n3 end \n" {
		t.Errorf("%q", got)
	}
}

func TestACursorFromTheFutureHarmsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.append("one")
		h := newHub(t, m, Options{})
		future := h.Subscribe(id, 1_000_000)
		waits(t, future, time.Hour)
		s := h.Subscribe(id, 0)
		if got := next(t, s); got != "1 log one\n" {
			t.Errorf("%q", got)
		}
		waits(t, s, time.Hour)
		m.append("two")
		if got := next(t, s); got != "2 log two\n" {
			t.Errorf("%q", got)
		}
		m.end()
		if got := next(t, s); got != "3 end \n" {
			t.Errorf("%q", got)
		}
		if _, err := future.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
		s.Close()
		future.Close()
	})
}

func TestACursorFromTheFutureOfAFinishedExecutionMeetsItsEnd(t *testing.T) {
	m := newMemory()
	m.append("one", "two")
	m.end()
	h := newHub(t, m, Options{})
	s := h.Subscribe(id, 1_000_000)
	defer s.Close()
	if b, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("%q, %v", join(b), err)
	}
}

func TestThePollHealsALostBell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.lossy = func() bool { return true }
		h := newHub(t, m, Options{})
		s := h.Subscribe(id, 0)
		defer s.Close()
		waits(t, s, time.Second)
		begin := time.Now()
		m.append("one")
		if got, took := next(t, s), time.Since(begin); got != "1 log one\n" || took > 2*time.Second {
			t.Errorf("%q after %v", got, took)
		}
	})
}

func TestSubscribersWaitThroughAnOutageAndLearnThatTheExecutionIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		err := errAway
		m.fail = func() error { return err }
		m.append("one")
		h := newHub(t, m, Options{})
		s := h.Subscribe(id, 0)
		waits(t, s, time.Minute)
		m.mu.Lock()
		if m.reads > 60 {
			t.Errorf("%d reads in a minute of outage", m.reads)
		}
		err = nil
		m.mu.Unlock()
		if got := next(t, s); got != "1 log one\n" {
			t.Errorf("%q", got)
		}
		m.mu.Lock()
		err = execution.Errorf(execution.NotFound, "gone")
		m.mu.Unlock()
		behind := h.Subscribe(id, 0)
		for _, s := range []*Subscriber{s, behind} {
			b, err := s.Next(t.Context())
			if s == behind && err == nil { // the ring may still have it
				b, err = s.Next(t.Context())
			}
			if execution.CodeOf(err) != execution.NotFound {
				t.Errorf("%q, %v", join(b), err)
			}
			s.Close()
		}
		if st := h.Stats(); st.Topics != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestATopicLingersForAReconnectAndIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.append("one")
		h := newHub(t, m, Options{})
		s := h.Subscribe(id, 0)
		next(t, s)
		s.Close()
		<-time.After(time.Second / 2)
		s = h.Subscribe(id, 1)
		<-time.After(time.Minute)
		if st := h.Stats(); m.listened != 1 || st.Topics != 1 || st.Subscribers != 1 {
			t.Errorf("listened %d times, %+v", m.listened, st)
		}
		s.Close()
		<-time.After(2 * time.Second)
		synctest.Wait()
		if st := h.Stats(); st != (Stats{}) || len(m.rings) != 0 {
			t.Errorf("%+v, %d bells", st, len(m.rings))
		}
	})
}

func TestCloseEndsEveryone(t *testing.T) {
	m := newMemory()
	h := New(m, m, Options{Encode: encode})
	waiting := make(chan error, 1)
	s := h.Subscribe(id, 0)
	go func() {
		_, err := s.Next(t.Context())
		waiting <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	s.Close()
	late := h.Subscribe(id, 0)
	if _, err := late.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	late.Close()
}

func TestAReplayGoesThroughTheRingOnce(t *testing.T) {
	m := newMemory()
	chunk := strings.Repeat("x", 64<<10)
	for range 160 {
		m.append(chunk)
	}
	m.end()
	h := newHub(t, m, Options{})
	s := h.Subscribe(id, 0)
	defer s.Close()
	got := 0
	for {
		b, err := s.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, f := range b.Frames {
			size += len(f)
		}
		if size > 256<<10+100 {
			t.Errorf("%d bytes in one batch", size)
		}
		if ring := h.Stats().RingBytes; ring > 1<<20 {
			t.Errorf("%d bytes in the ring", ring)
		}
		got += size
	}
	if want := 160 * len(chunk); got < want || m.bytes > got+got/10 {
		t.Errorf("%d bytes of %d, %d read", got, want, m.bytes)
	}
}

func TestASlowSubscriberHoldsNobodyUpAndALargeFrameGetsThrough(t *testing.T) {
	m := newMemory()
	h := newHub(t, m, Options{RingBytes: 1000})
	slow, fast := h.Subscribe(id, 0), h.Subscribe(id, 0)
	defer slow.Close()
	defer fast.Close()
	for i := 1; i <= 50; i++ {
		text := strings.Repeat("y", i*100)
		m.append(text)
		if got := next(t, fast); got != fmt.Sprintf("%d log %s\n", i, text) {
			t.Fatalf("%d: %.50q", i, got)
		}
	}
	if ring := h.Stats().RingBytes; ring > 5100 {
		t.Errorf("%d bytes in the ring", ring)
	}
	m.end()
	var all strings.Builder
	for {
		b, err := slow.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		all.WriteString(join(b))
	}
	if lines := strings.Split(all.String(), "\n"); len(lines) != 52 || lines[50] != "51 end " {
		t.Errorf("%d lines", len(lines))
	}
}

func TestAThousandReplaysBecomeAFewReadsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		for range 100 {
			m.append("text")
		}
		h := newHub(t, m, Options{Replays: 8})
		first := h.Subscribe(id, 99)
		next(t, first)
		m.mu.Lock()
		m.blocked = make(chan struct{})
		m.mu.Unlock()
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				s := h.Subscribe(id, execution.Cursor(i%90))
				defer s.Close()
				for last := execution.Cursor(0); last < 100; {
					b, err := s.Next(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					last = b.Last
				}
			})
		}
		synctest.Wait()
		close(m.blocked)
		wg.Wait()
		first.Close()
		if m.most > 9 { // 8 and the topic's own
			t.Errorf("%d reads at once", m.most)
		}
	})
}

// follow reads to the end and checks that each event came once, in order.
func follow(t *testing.T, h *Hub, rnd *rand.Rand, after execution.Cursor) error {
	s := h.Subscribe(id, after)
	defer func() { s.Close() }()
	last, ended := after, false
	for {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if rnd.IntN(4) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(1000))*time.Microsecond)
		}
		b, err := s.Next(ctx)
		cancel()
		switch {
		case errors.Is(err, io.EOF):
			if !ended {
				return errors.New("no end event")
			}
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			if rnd.IntN(3) == 0 { // reconnect
				s.Close()
				s = h.Subscribe(id, last)
			}
			continue
		case err != nil:
			return err
		}
		for _, f := range b.Frames {
			last++
			if !bytes.HasPrefix(f, []byte(last.String()+" ")) {
				return fmt.Errorf("from %d: want %d, got %.20q", after, last, f)
			}
		}
		if b.Last != last {
			return fmt.Errorf("last is %d, want %d", b.Last, last)
		}
		ended = b.End
		for range rnd.IntN(200) { // slow now and then
			runtime.Gosched()
		}
	}
}

func TestEachSubscriberSeesEveryEventOnceInOrderAndTheEnd(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		m := newMemory()
		flaky := rand.New(rand.NewPCG(seed, 2)) // used under m's mutex
		m.lossy = func() bool { return flaky.IntN(3) == 0 }
		m.fail = func() error {
			if flaky.IntN(200) == 0 {
				return errAway
			}
			return nil
		}
		h := newHub(t, m, Options{
			RingBytes: 200 + rnd.IntN(5000), ReadBytes: 100 + rnd.IntN(2000), NextBytes: 100 + rnd.IntN(2000),
			Poll: 5 * time.Millisecond, Linger: time.Duration(1+rnd.IntN(5)) * time.Millisecond, Replays: 1 + rnd.IntN(4),
		})
		total := 200 + rnd.IntN(800)
		var wg sync.WaitGroup
		for i := range 12 {
			rnd := rand.New(rand.NewPCG(seed, uint64(i+10)))
			after := execution.Cursor(rnd.IntN(total / 2))
			wg.Go(func() {
				for range rnd.IntN(5000) {
					runtime.Gosched()
				}
				if i == 0 { // one of them begins in the future, and sees nothing but the end
					s := h.Subscribe(id, 1<<40)
					defer s.Close()
					if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
						t.Errorf("seed %d: %v", seed, err)
					}
					return
				}
				if err := follow(t, h, rnd, after); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			})
		}
		for n := 0; n < total; {
			batch := texts(rnd, 1+rnd.IntN(20), 1+rnd.IntN(300))
			m.append(batch...)
			n += len(batch)
			for range rnd.IntN(300) {
				runtime.Gosched()
			}
		}
		m.end()
		wg.Wait()
		if t.Failed() {
			return
		}
	}
}

// A gap that begins before a subscriber's cursor was read for somebody else, or
// for the topic itself, which begins one event early.
func TestAGapBeginsBehindWhatItsSubscriberHasSeen(t *testing.T) {
	m := newMemory()
	gap := execution.GapEvent(1, 100, execution.GapNote{Reason: "gone"})
	m.batches, m.last = append(m.batches, []execution.Event{gap}), 100
	m.append("after it")
	h := newHub(t, m, Options{Encode: func(e *execution.Event) ([]byte, error) {
		return fmt.Appendf(nil, "%d %s %s%s\n", e.Seq, e.Type, e.Bytes, e.Data), nil
	}})
	for _, seen := range []execution.Cursor{0, 1, 57, 99} {
		s := h.Subscribe(id, seen)
		want := fmt.Sprintf("100 gap {\"from\":%d,\"to\":100,\"reason\":\"gone\"}\n101 log after it\n", seen+1)
		if got := next(t, s); got != want {
			t.Errorf("who has seen %d gets %q, want %q", seen, got, want)
		}
		s.Close()
	}
}

// poller is a subscriber that is polled, and counts how often it was woken.
type poller struct {
	*Subscriber
	scratch [][]byte
	woken   atomic.Int64
}

func (p *poller) poll(t *testing.T) string {
	t.Helper()
	b, err := p.Poll(&p.scratch, func() { p.woken.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	return join(b)
}

func TestPollWakesOnceWhenThereIsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.append("one")
		h := newHub(t, m, Options{})
		list := make([]*poller, 5)
		for i := range list {
			list[i] = &poller{Subscriber: h.Subscribe(id, 0)}
			defer list[i].Close()
		}
		synctest.Wait()
		for i, p := range list {
			if got := p.poll(t); got != "1 log one\n" {
				t.Errorf("%d got %q", i, got)
			}
			if got := p.poll(t); got != "" || p.woken.Load() != 0 {
				t.Errorf("%d got %q and was woken %d times", i, got, p.woken.Load())
			}
		}
		list[1].Close() // from the middle of those who wait
		m.append("two")
		synctest.Wait()
		m.append("three") // nobody is armed now
		synctest.Wait()
		for i, p := range list {
			if i == 1 {
				if p.woken.Load() != 0 {
					t.Error("a closed one was woken")
				}
				continue
			}
			if got := p.poll(t); got != "2 log two\n3 log three\n" || p.woken.Load() != 1 {
				t.Errorf("%d got %q and was woken %d times", i, got, p.woken.Load())
			}
		}
		m.end()
		synctest.Wait()
		for _, p := range list[2:] {
			if got := p.poll(t); got != "4 end \n" {
				t.Errorf("got %q", got)
			}
			if _, err := p.Poll(&p.scratch, nil); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v", err)
			}
		}
	})
}

func TestPollIsWokenByTheEndOfTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		h := New(m, m, Options{Encode: encode})
		p := &poller{Subscriber: h.Subscribe(id, 0)}
		synctest.Wait()
		p.poll(t)
		if err := h.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.woken.Load() != 1 {
			t.Error("not woken")
		}
		if _, err := p.Poll(&p.scratch, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

func TestWhoPollsBehindTheRingIsSentToNextAndComesBack(t *testing.T) {
	m := newMemory()
	m.append("one", "two", "three")
	h := newHub(t, m, Options{})
	ahead := h.Subscribe(id, 2)
	defer ahead.Close()
	next(t, ahead)
	p := &poller{Subscriber: h.Subscribe(id, 0)}
	defer p.Close()
	if _, err := p.Poll(&p.scratch, nil); !errors.Is(err, ErrBehind) {
		t.Fatalf("%v", err)
	}
	if got := next(t, p.Subscriber); got != "1 log one\n2 log two\n3 log three\n" {
		t.Errorf("Next got %q", got)
	}
	if got := p.poll(t); got != "" {
		t.Errorf("Poll got %q", got)
	}
}

func TestACrowdsEventsAreGatheredAndNobodyElses(t *testing.T) {
	for crowd, reads := range map[int]int{1: 10, 2: 1000} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			h := newHub(t, m, Options{Crowd: crowd, Gather: 100 * time.Millisecond, Poll: time.Hour})
			p := &poller{Subscriber: h.Subscribe(id, 0)}
			defer p.Close()
			synctest.Wait()
			p.poll(t)
			<-time.After(time.Second)
			for i := range 1000 { // of 1 ms
				m.append("x")
				synctest.Wait()
				got := p.poll(t)
				if i == 0 && got != "1 log x\n" {
					t.Errorf("crowd %d: the first after a silence waited: %q", crowd, got)
				}
				if got != "" {
					p.poll(t) // nothing, and it will be woken
				}
				<-time.After(time.Millisecond)
			}
			if got := int(p.woken.Load()); got < reads*9/10 || got > reads*11/10+1 {
				t.Errorf("crowd %d: woken %d times for 1000 events in a second", crowd, got)
			}
		})
	}
}

func TestTheRingsOfManyTopicsShareABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		for range 64 {
			m.append(string(make([]byte, 64<<10)))
		}
		h := newHub(t, m, Options{AllRings: 4 << 20})
		const topics = 16
		for i := range topics {
			s := h.Subscribe(execution.ID(fmt.Sprint(id, i)), 0)
			defer s.Close()
			for last := execution.Cursor(0); last < 64; {
				b, err := s.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				last = b.Last
			}
		}
		m.append("more") // what was larger shrinks with the next event
		synctest.Wait()
		<-time.After(3 * time.Second)
		synctest.Wait()
		if st := h.Stats(); st.Topics != topics || st.RingBytes > 4<<20 || st.RingBytes < 1<<20 {
			t.Errorf("%+v", st)
		}
	})
}

// lending is a Lender that spoils what it has lent once its reader is done.
type lending struct {
	*memory
	out atomic.Int64
}

func (l *lending) Lend(ctx context.Context, id execution.ID, after execution.Cursor, maxBytes int) ([]execution.Event, func(), error) {
	events, err := l.Read(ctx, id, after, maxBytes)
	events = slices.Clone(events)
	for i := range events {
		events[i].Bytes, events[i].Data = bytes.Clone(events[i].Bytes), bytes.Clone(events[i].Data)
	}
	l.out.Add(1)
	return events, func() {
		l.out.Add(-1)
		for i := range events {
			for j := range events[i].Bytes {
				events[i].Bytes[j] = '!'
			}
			for j := range events[i].Data {
				events[i].Data[j] = '!'
			}
		}
	}, err
}

func TestWhatIsLentIsNotUsedAfterwardsAndGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &lending{memory: newMemory()}
		src.append("one", "two")
		src.store(execution.GapEvent(3, 5, execution.GapNote{Reason: "budget"}))
		src.last = 5
		h := New(src, src, Options{Encode: func(e *execution.Event) ([]byte, error) {
			return fmt.Appendf(nil, "%d %s %s%s\n", e.Seq, e.Type, e.Bytes, e.Data), nil
		}})
		defer h.Close(t.Context())
		ahead := h.Subscribe(id, 2)
		defer ahead.Close()
		next(t, ahead)
		late := h.Subscribe(id, 0) // replays
		defer late.Close()
		want := "1 log one\n2 log two\n3 gap {\"from\":3,\"to\":5,\"reason\":\"budget\"}\n"
		if got := next(t, late); got != want {
			t.Errorf("%q", got)
		}
		again := h.Subscribe(id, 2) // narrows the gap that the ring has
		defer again.Close()
		if got := next(t, again); !strings.Contains(got, `"from":3,"to":5`) {
			t.Errorf("%q", got)
		}
		src.append("six")
		if got := next(t, ahead); got != "6 log six\n" {
			t.Errorf("%q", got)
		}
		synctest.Wait()
		if n := src.out.Load(); n != 0 {
			t.Errorf("%d reads were not given back", n)
		}
	})
}
