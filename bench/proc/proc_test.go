package proc

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestAStatLineIsReadWhateverTheProgramIsCalled(t *testing.T) {
	for _, name := range []string{"worker", "a b", "x) R 99 (y"} {
		got, err := parseStat("12 (" + name + ") S 7 12 12 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 9 0 123 456 789\n")
		if want := (stat{parent: 7, cpu: 1100 * time.Millisecond}); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, bad := range []string{"", "12 worker S", "12 (w) S 7 1", "12 (w) S x 12 12 0 -1 1 1 1 0 0 1 1 1 1 20 0"} {
		if got, err := parseStat(bad); err == nil {
			t.Errorf("%q gives %+v", bad, got)
		}
	}
}

func TestATreeIsAllThatDescends(t *testing.T) {
	m := map[int]stat{1: {}, 2: {parent: 1}, 3: {parent: 2}, 4: {parent: 3}, 5: {parent: 1}, 6: {parent: 5}}
	if got := tree(m, []int{2, 6, 99}); !slices.Equal(got, []int{2, 3, 4, 6}) {
		t.Errorf("%v", got)
	}
}

func TestTheCPUOfAChildThatHasEndedCounts(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	after, err := CPU(os.Getpid())
	if err != nil || after-before < 3*tick {
		t.Errorf("%v of CPU for a loop of 200,000 rounds, %v", after-before, err)
	}
}

// still starts a process that grows no more: this one does while it is looked at.
func still(t *testing.T) (pid int) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestMemoryOfALiveProcess(t *testing.T) {
	m, err := MemoryOf(still(t))
	if err != nil || m.RSS < 1<<20 || m.Peak < m.RSS || m.PSS == 0 || m.PSS > m.RSS {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := MemoryOf(1 << 30); err == nil {
		t.Errorf("a process that is not there takes %+v", m)
	}
	if got := kilobytes([]byte("VmPeak:\t  99 kB\nVmRSS:\t    12 kB\n"), "VmRSS"); got != 12<<10 {
		t.Errorf("%d", got)
	}
}
