package process_test

import (
	"io"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

// parallel is the default number of executions per worker.
const parallel = 5

// BenchmarkTrue is the price of a process through the pool. The metric "x-exec" is the one to look at: its ratio to plain os/exec, which proves
// nothing. Both run /bin/true in a group of its own and read its pipes to their ends (the pool has one more), five at a time, and
// they take turns, so that a busy machine slows both alike.
func BenchmarkTrue(b *testing.B) {
	for name, limits := range map[string]process.Limits{"pool": {}, "pool, with limits": {OpenFiles: 1000, CPUSeconds: 60}} {
		b.Run(name, func(b *testing.B) {
			pool := newPool(b, parallel)
			compare(b, func() error {
				c := command("/bin/true")
				c.Limits = limits
				p, err := pool.Start(b.Context(), c)
				if err != nil {
					return err
				}
				drain(p.Stdout(), p.Stderr(), p.Events())
				<-p.Gone()
				return nil
			})
		})
	}
	// What a stage between fork and exec that sets the limits would add: a start of this binary, which is smaller than a worker.
	b.Run("second Go program", func(b *testing.B) {
		compare(b, func() error {
			c := exec.Command(processtest.Path(), processtest.Args(processtest.Exit, "0")...)
			c.Env = []string{"GOMAXPROCS=1"}
			return c.Run()
		})
	})
}

func plainExec() error {
	c := exec.Command("/bin/true")
	c.Env = []string{"PATH=/bin"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := c.StderrPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	drain(stdout, stderr)
	return c.Wait()
}

// compare runs b.N of one and as many of plainExec, in turns of a hundred.
func compare(b *testing.B, one func() error) {
	const turn = 100
	inParallel(b, parallel, one) // warm: shims are up, files are in memory
	var ours, plain time.Duration
	for left := b.N; left > 0; left -= turn {
		plain += inParallel(b, min(left, turn), plainExec)
		ours += inParallel(b, min(left, turn), one)
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(plain.Nanoseconds())/float64(b.N), "ns/exec")
	b.ReportMetric(float64(ours)/float64(plain), "x-exec")
}

func inParallel(b *testing.B, n int, one func() error) time.Duration {
	var next atomic.Int64
	var workers sync.WaitGroup
	began := time.Now()
	for range parallel {
		workers.Go(func() {
			for next.Add(1) <= int64(n) {
				if err := one(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return time.Since(began)
}

// drain reads all to their ends, as whoever runs a process must, and closes them.
func drain(files ...io.ReadCloser) {
	var readers sync.WaitGroup
	for _, f := range files[1:] {
		readers.Go(func() { _, _ = io.Copy(io.Discard, f); _ = f.Close() })
	}
	_, _ = io.Copy(io.Discard, files[0])
	_ = files[0].Close()
	readers.Wait()
}

// BenchmarkOutput is the way of 50 MB from the engine to its reader.
func BenchmarkOutput(b *testing.B) {
	const size = 50 << 20
	pool := newPool(b, 1)
	b.SetBytes(size)
	for b.Loop() {
		p, err := pool.Start(b.Context(), command("head", "-c", strconv.Itoa(size), "/dev/zero"))
		if err != nil {
			b.Fatal(err)
		}
		drain(p.Stdout(), p.Stderr(), p.Events())
		<-p.Gone()
	}
}
