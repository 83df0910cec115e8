package app

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestOnlyPagesThatNothingCanHaveWrittenToAreTakenOut(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-00cdf000 r-xp 00000000 fe:00 123    /opt/longhaul/api":           true,
		"00cdf000-0166e000 r--p 008df000 fe:00 123    /opt/longhaul/api":           true,
		"0166e000-01825000 rw-p 0126e000 fe:00 123    /opt/longhaul/api":           false,
		"00cdf000-0166e000 ---p 008df000 fe:00 123    /opt/longhaul/api":           false,
		"7fd4ad700000-7fd4ada00000 r--p 00000000 00:00 0 ":                         false,
		"00cdf000-0166e000 r--p 008df000 fe:00 9      /opt/longhaul/other/api":     false,
		"00cdf000-0166e000 r--p 008df000 fe:00 9      /opt/longhaul/api (deleted)": false,
	} {
		from, to, ok := programPages(line, "/opt/longhaul/api")
		if ok != want {
			t.Errorf("%s: %v", line, ok)
		}
		if ok && from >= to {
			t.Errorf("%s: from %x to %x", line, from, to)
		}
	}
}

func TestAProgramTakenOutOfMemoryGoesOn(t *testing.T) {
	before := mapped(t)
	if err := unmapProgram(); err != nil {
		t.Fatal(err)
	}
	after := mapped(t)
	t.Logf("%d pages of files before, %d after", before, after)
	if after >= before {
		t.Errorf("%d pages of files before, %d after", before, after)
	}
}

// mapped counts the pages of files in this process' memory (proc_pid_statm(5)).
func mapped(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.Fields(string(text))[2])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
