package hub

import (
	"testing"
	"testing/synctest"

	"github.com/longhaul/longhaul/pkg/execution"
)

// carrier is a memory whose bells bring what the test puts into next.
type carrier struct {
	*memory
	next []execution.Event
}

func (c *carrier) Follow(id execution.ID) (<-chan struct{}, func() []execution.Event, func()) {
	ring, stop := c.Listen(id)
	return ring, func() []execution.Event {
		c.mu.Lock()
		defer c.mu.Unlock()
		events := c.next
		c.next = nil
		return events
	}, stop
}

// bring is the events with these numbers and texts.
func bring(from execution.Cursor, texts ...string) (events []execution.Event) {
	for i, text := range texts {
		events = append(events, execution.Event{
			Seq: from + execution.Cursor(i), Type: execution.EventLog, Stream: execution.Stdout, Bytes: []byte(text),
		})
	}
	return events
}

func TestWhatABellBringsIsReadOnlyWhereItDoesNotFollow(t *testing.T) {
	for name, c := range map[string]struct {
		next  []execution.Event // with the bell for 2 and 3
		reads bool
	}{
		"all":                        {bring(2, "two", "three"), false},
		"one that is known, and all": {bring(1, "one", "two", "three"), false},
		"nothing":                    {nil, true},
		"not the first":              {bring(3, "three"), true},
		"with a hole":                {append(bring(2, "two"), bring(4, "four")...), true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &carrier{memory: newMemory()}
				m.append("one")
				h := New(m, m, Options{Encode: encode})
				defer h.Close(t.Context())
				s := h.Subscribe(id, 0)
				defer s.Close()
				if got := next(t, s); got != "1 log one\n" {
					t.Errorf("%q", got)
				}
				synctest.Wait()
				before := m.reads
				m.next = c.next
				m.append("two", "three")
				if got := next(t, s); got != "2 log two\n3 log three\n" {
					t.Errorf("%q", got)
				}
				synctest.Wait()
				if read := m.reads > before; read != c.reads {
					t.Errorf("read: %v", read)
				}
			})
		})
	}
}

func TestALostBellIsHealedByTheNextThatBringsSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &carrier{memory: newMemory()}
		m.append("one")
		h := New(m, m, Options{Encode: encode})
		defer h.Close(t.Context())
		s := h.Subscribe(id, 1)
		defer s.Close()
		synctest.Wait()
		m.lossy = func() bool { return true }
		m.append("two")
		synctest.Wait()
		m.lossy, m.next = nil, bring(3, "three")
		m.append("three")
		if got := next(t, s); got != "2 log two\n3 log three\n" {
			t.Errorf("%q", got)
		}
	})
}
