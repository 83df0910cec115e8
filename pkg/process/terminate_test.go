package process_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestTerminateLetsTheEngineFinishWithinItsGrace(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.TermSlowly)).ready()
	r.Terminate(processtest.Patience)
	if line := r.line(); line != "terminating" {
		t.Errorf("got %q", line)
	}
	exit := r.wait()
	if exit.Code != 7 || exit.TermSentAt.IsZero() || !exit.KillSentAt.IsZero() {
		t.Errorf("want code 7 after SIGTERM and no SIGKILL, got %+v", exit)
	}
}

func TestWhoIgnoresSIGTERMIsKilledAfterTheGrace(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.IgnoreTerm)).ready()
	const grace = 100 * time.Millisecond
	r.Terminate(grace)
	exit := r.wait()
	if exit.Signal != syscall.SIGKILL {
		t.Errorf("want killed, got %v", exit)
	}
	if waited := exit.KillSentAt.Sub(exit.TermSentAt); waited < grace {
		t.Errorf("killed %v after SIGTERM, which is less than the grace", waited)
	}
}

func TestTerminateWithoutGraceKillsAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.TermSlowly)).ready()
	r.Terminate(0)
	if exit := r.wait(); exit.Signal != syscall.SIGKILL || !exit.TermSentAt.IsZero() {
		t.Errorf("want killed without SIGTERM, got %+v", exit)
	}
}

func TestALaterTerminateCanOnlyShortenTheGrace(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.IgnoreTerm)).ready()
	const grace = 200 * time.Millisecond
	r.Terminate(time.Hour)
	r.Terminate(grace)
	r.Terminate(2 * time.Hour)
	exit := r.wait()
	if exit.Signal != syscall.SIGKILL {
		t.Errorf("want killed, got %v", exit)
	}
	if waited := exit.KillSentAt.Sub(exit.TermSentAt); waited < grace {
		t.Errorf("killed after %v, want at least the shorter grace", waited)
	}
	r.Terminate(0) // and is harmless when all is over
}

func TestAStoppedEngineStillSeesSIGTERM(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.StopSelf)).ready()
	processtest.Eventually(t, "stopped", func() bool { return state(r.PID()) == 'T' })
	r.Terminate(processtest.Patience)
	if exit := r.wait(); exit.Signal != syscall.SIGTERM {
		t.Errorf("want ended by SIGTERM well within the grace, got %+v", exit)
	}
}

func TestAStoppedEngineIsKilledAtOnceWhenAsked(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.StopSelf)).ready()
	processtest.Eventually(t, "stopped", func() bool { return state(r.PID()) == 'T' })
	r.Terminate(0)
	if exit := r.wait(); exit.Signal != syscall.SIGKILL {
		t.Errorf("want killed, got %v", exit)
	}
}

func TestAnEngineKilledFromOutsideIsNotTakenForOurKill(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Sleep)).ready()
	if err := syscall.Kill(r.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	exit := r.wait()
	if exit.Signal != syscall.SIGKILL || !exit.KillSentAt.IsZero() || exit.ShimLost {
		t.Errorf("want killed, and not by us, got %+v", exit)
	}
}

func TestAnEscapeeIsKilledWithItsLivingParent(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Stubborn))
	escapee := r.printedPID()
	r.ready().Terminate(50 * time.Millisecond)
	r.wait()
	if processtest.Alive(escapee) {
		t.Errorf("escapee %d is alive", escapee)
	}
}
