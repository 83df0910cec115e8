package e2e

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/test/rig"
)

// API and worker let the kernel wake them half a millisecond late, and are still the processes that were started. Engines have
// what everybody has.
func TestAPIAndWorkerAreCalmAndTheirEnginesAreNot(t *testing.T) {
	s := newSystem(t)
	a, w := s.api(), s.worker()
	id := a.script("cat /proc/self/timerslack_ns")
	a.wait(id)
	usual, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(a.text(id)); got != strconv.Itoa(usual) {
		t.Errorf("an engine's timers may be %s ns late, not %d", got, usual)
	}
	for _, p := range []proc{a, w} {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/timerslack_ns")
		if errors.Is(err, fs.ErrPermission) {
			rig.Missing(t, "LONGHAUL_REQUIRE_SYS_NICE", "CAP_SYS_NICE is missing, which looking at the timer slack of the "+p.Name+" takes")
		}
		if got := strings.TrimSpace(string(text)); err != nil || got != strconv.Itoa(max(usual, 500_000)) {
			t.Errorf("timers of the %s may be %s ns late, %v", p.Name, got, err)
		}
	}
}
