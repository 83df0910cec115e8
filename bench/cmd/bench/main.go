// Command bench measures Longhaul against the limits of the machine, in one run:
// how soon an idle worker picks up, how fast a million lines reach a subscriber,
// how much memory an idle system takes, what a place in a long line costs.
//
// It starts its own redis-server and the built binaries, on loopback, and ends
// them. Ratios and counts are what matters: the machines are noisy.
//
// With -memory it measures instead how much memory executions and their logs
// take in Redis, and prints the table of docs/reliability.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 3, "how often each measurement is repeated; the median is shown")
	million := flag.Int("lines", 1_000_000, "lines of 100 bytes for the log measurement")
	pending := flag.Int("pending", 100_000, "queued executions for the position measurement")
	inRedis := flag.Bool("memory", false, "measure the memory that Redis needs, and nothing else")
	most := flag.Int("executions", 100_000, "executions for -memory, at most")
	settle := flag.Duration("settle", 8*time.Second, "for -memory: how long a log's memory must have stayed the same; a log is packed some 5 s after its end")
	artifacts := flag.String("artifacts", "", "for -memory: ARTIFACTS_URL")
	flag.Parse()
	var err error
	if *inRedis {
		err = memory(context.Background(), *most, *settle, *artifacts)
	} else {
		err = measure(context.Background(), *rounds, *million, *pending)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, rounds, lines, pending int) error {
	fmt.Printf("%d cores, %s, load %s, %s\n\n", runtime.NumCPU(), runtime.Version(), load(), kernel())
	s, err := start(ctx, "LOG_REDIS_BYTES=1GiB")
	if err != nil {
		return err
	}
	defer s.stop()
	for _, m := range []struct {
		name string
		run  func(context.Context, *system) error
	}{
		{"idle memory", idleMemory},
		{"pick-up", func(ctx context.Context, s *system) error { return pickUp(ctx, s, 40) }},
		{"log", func(ctx context.Context, s *system) error { return logThroughput(ctx, s, rounds, lines) }},
		{"position", func(ctx context.Context, s *system) error { return position(ctx, s, pending) }},
	} {
		if err := m.run(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	fmt.Printf("\nload at the end %s\n", load())
	return nil
}

// report prints one line: what, figure, and the floor that it is held to.
func report(what, figure, floor string, ok bool) {
	verdict := "PASS"
	if !ok {
		verdict = "FAIL"
	}
	fmt.Printf("%-34s %-44s %-22s %s\n", what, figure, floor, verdict)
}

func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	return strings.Join(strings.Fields(string(data))[:3], " ")
}

func kernel() string {
	data, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "?"
	}
	return "Linux " + strings.TrimSpace(string(data))
}

// build compiles the binaries as they are shipped.
func build(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", dir+string(filepath.Separator), "./cmd/api", "./cmd/worker", "./bench/cmd/probe")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the binaries (run this at the top of the repository): %w\n%s", err, out)
	}
	return nil
}
