package processtest

import (
	"testing"
	"time"
)

// Patience is how long a test waits for what must come. Long: the machine may be busy, and only a failure ever waits for all of it.
const Patience = 30 * time.Second

// Within waits for an event, and fails the test when it does not come.
func Within(t testing.TB, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(Patience):
		t.Fatalf("still waiting for %s after %v", what, Patience)
	}
}

// Eventually waits for a fact about another process, for which there is no event to wait for.
func Eventually(t testing.TB, what string, fact func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(Patience); !fact(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("never: %s", what)
		}
	}
}
