package process_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestAShimIsUsedAgain(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 3)
	first := start(t, pool, command("true"))
	first.wait()
	for range 10 {
		next := start(t, pool, command("true"))
		next.wait()
		if process.ShimPID(next.Process) != process.ShimPID(first.Process) {
			t.Fatal("a second shim was started, though the first was idle")
		}
	}
	if n := pool.Shims(); n != 1 {
		t.Errorf("%d shims", n)
	}
}

func TestAnIdleShimIsRetired(t *testing.T) {
	t.Parallel()
	pool := process.NewPool(process.PoolConfig{Slots: 2, IdleTimeout: 20 * time.Millisecond})
	r := start(t, pool, command("true"))
	r.wait()
	shim := process.ShimPID(r.Process)
	processtest.Eventually(t, "retired", func() bool { return pool.Shims() == 0 })
	if processtest.Alive(shim) {
		t.Error("the shim is alive")
	}
	start(t, pool, command("true")).wait()
	if err := pool.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAStartNeverMeetsAShimThatIsBeingRetired(t *testing.T) {
	t.Parallel()
	const idle = 500 * time.Microsecond
	pool := process.NewPool(process.PoolConfig{Slots: 1, IdleTimeout: idle})
	tick := time.NewTicker(idle)
	defer tick.Stop()
	for range 300 { // which makes the timer and the start meet again and again
		p, err := pool.Start(t.Context(), command("true"))
		if err != nil {
			t.Fatal(err)
		}
		drain(p.Stdout(), p.Stderr(), p.Events())
		if exit := p.Exit(); !exit.Success() {
			t.Fatal(exit)
		}
		<-tick.C
	}
	if err := pool.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsWhatRuns(t *testing.T) {
	t.Parallel()
	pool := process.NewPool(process.PoolConfig{Slots: 4})
	runs := []*run{
		start(t, pool, bad(processtest.IgnoreTerm)).ready(),
		start(t, pool, bad(processtest.StopSelf)).ready(),
		start(t, pool, bad(processtest.Sleep)).ready(),
	}
	start(t, pool, command("true")).wait() // an idle shim as well
	if err := pool.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		select {
		case <-r.Gone():
		default:
			t.Error("closed, but not gone")
		}
		if exit := r.wait(); exit.Signal != syscall.SIGKILL {
			t.Errorf("want killed, got %v", exit)
		}
		if processtest.Alive(process.ShimPID(r.Process)) {
			t.Error("its shim is alive")
		}
	}
	if _, err := pool.Start(t.Context(), command("true")); !errors.Is(err, process.ErrClosed) {
		t.Errorf("start after close: %v", err)
	}
	if err := pool.Close(t.Context()); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestCloseWhileOthersStart(t *testing.T) {
	t.Parallel()
	pool := process.NewPool(process.PoolConfig{Slots: 8})
	var starters sync.WaitGroup
	started := make(chan struct{}, 100)
	for range 8 {
		starters.Go(func() {
			for {
				p, err := pool.Start(t.Context(), command("sleep", "1000"))
				if errors.Is(err, process.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				started <- struct{}{}
				<-p.Gone()
				for _, f := range []*os.File{p.Stdout(), p.Stderr(), p.Events()} {
					_ = f.Close()
				}
			}
		})
	}
	<-started
	if err := pool.Close(t.Context()); err != nil {
		t.Error(err)
	}
	starters.Wait()
}

func TestCloseThatIsCutShortSaysSo(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	r := start(t, pool, bad(processtest.IgnoreTerm)).ready()
	stopShim(t, r)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("out of patience"))
	if err := pool.Close(ctx); err == nil || err.Error() != "close process pool: 1 shims left: out of patience" {
		t.Errorf("got %v", err)
	}
	if exit := r.wait(); !exit.ShimLost {
		t.Errorf("want lost, got %+v", exit)
	}
}

func TestStartWaitsForASlotAsLongAsItsContext(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	r := start(t, pool, bad(processtest.Sleep)).ready()
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("had enough")
	cancel(reason)
	if _, err := pool.Start(ctx, command("true")); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	waiting := make(chan error, 1)
	go func() {
		p, err := pool.Start(t.Context(), command("true"))
		if err == nil {
			<-p.Gone()
			for _, f := range []*os.File{p.Stdout(), p.Stderr(), p.Events()} {
				_ = f.Close()
			}
		}
		waiting <- err
	}()
	r.Terminate(0)
	r.wait()
	if err := <-waiting; err != nil {
		t.Errorf("the slot is free, and yet: %v", err)
	}
}

func TestFiftyStartAtOnce(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 50)
	var starters sync.WaitGroup
	for i := range 50 {
		starters.Go(func() {
			p, err := pool.Start(t.Context(), command("sh", "-c", "exit "+strconv.Itoa(i)))
			if err != nil {
				t.Error(err)
				return
			}
			drain(p.Stdout(), p.Stderr(), p.Events())
			if exit := p.Exit(); exit.Code != i {
				t.Errorf("got %v, want exited with %d", exit, i)
			}
		})
	}
	starters.Wait()
}

// Not parallel: it counts this process's descriptors.
func TestNothingIsLeftOpen(t *testing.T) {
	pool := newPool(t, 2)
	round := func() {
		c := bad(processtest.Exit, "0")
		c.Stdin = make([]byte, 100<<10)
		for _, c := range []process.Command{c, command("/nowhere/program"), command("true", string(make([]byte, 1)))} {
			p, err := pool.Start(t.Context(), c)
			if err == nil {
				drain(p.Stdout(), p.Stderr(), p.Events())
				<-p.Gone()
			}
		}
	}
	round()
	count := func() int { entries, _ := os.ReadDir("/proc/self/fd"); return len(entries) }
	before := count()
	for range 20 {
		round()
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	r := start(t, pool, bad(processtest.Sleep)).ready()
	entries, _ := os.ReadDir("/proc/" + strconv.Itoa(process.ShimPID(r.Process)) + "/fd")
	if len(entries) > 12 { // the standard three, socket, pidfd, the runtime's poller; none of the 20 rounds
		t.Errorf("the shim has %d descriptors open", len(entries))
	}
	r.Terminate(0)
	r.wait()
}
