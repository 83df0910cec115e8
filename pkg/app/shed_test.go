package app

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOnlyPagesThatNothingHasWrittenToAreTakenOut(t *testing.T) {
	const clean = "Anonymous:             0 kB\nSwap:                  0 kB"
	for text, want := range map[string]bool{
		"00400000-00cdf000 r-xp 00000000 fe:00 123    /opt/longhaul/api\n" + clean:                                                 true,
		"00cdf000-0166e000 r--p 008df000 fe:00 123    /opt/longhaul/api\n" + clean:                                                 true,
		"00cdf000-0166e000 r--p 008df000 fe:00 123    /opt/longhaul/api\nAnonymous:             8 kB\nSwap:                  0 kB": false, // relocated, then made read-only
		"00cdf000-0166e000 r--p 008df000 fe:00 123    /opt/longhaul/api\nAnonymous:             0 kB\nSwap:                  4 kB": false,
		"00cdf000-0166e000 r--p 008df000 fe:00 123    /opt/longhaul/api\nRss: 4 kB":                                                false,
		"0166e000-01825000 rw-p 0126e000 fe:00 123    /opt/longhaul/api\n" + clean:                                                 false,
		"00cdf000-0166e000 ---p 008df000 fe:00 123    /opt/longhaul/api\n" + clean:                                                 false,
		"7fd4ad700000-7fd4ada00000 r--p 00000000 00:00 0 \n" + clean:                                                               false,
		"00cdf000-0166e000 r--p 008df000 fe:00 9      /opt/longhaul/other/api\n" + clean:                                           false,
		"00cdf000-0166e000 r--p 008df000 fe:00 9      /opt/longhaul/api (deleted)\n" + clean:                                       false,
	} {
		m, got := mapping{}, false
		for line := range strings.Lines(text) {
			got = m.read(strings.TrimSuffix(line, "\n"), "/opt/longhaul/api") || got
		}
		if got != want || m.from >= m.to {
			t.Errorf("%s: %v, %x to %x", text, got, m.from, m.to)
		}
	}
}

func TestPagesGoAgainAndAgainUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		begin, at := time.Now(), []time.Duration{}
		err := shedding(ctx, func() error { at = append(at, time.Since(begin)/time.Second); return nil })
		if want := []time.Duration{1, 4, 13, 40, 100, 160}; err != nil || !slices.Equal(at, want) {
			t.Errorf("%v after %d s, not %d", err, at, want)
		}
	})
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
