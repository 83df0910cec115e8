package process_test

import (
	"io"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/longhaul/longhaul/pkg/process"
)

// parallel is the default number of executions per worker.
const parallel = 5

// BenchmarkTrue compares the price of a process through the pool with that of plain os/exec, which proves nothing. Both
// run /bin/true in its own group and read two pipes to their ends; the pool has a third.
func BenchmarkTrue(b *testing.B) {
	b.Run("exec", func(b *testing.B) {
		inParallel(b, func() error {
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
		})
	})
	for name, limits := range map[string]process.Limits{"pool": {}, "pool with limits": {OpenFiles: 1000, CPUSeconds: 60}} {
		b.Run(name, func(b *testing.B) {
			pool := newPool(b, parallel)
			inParallel(b, func() error {
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

func inParallel(b *testing.B, one func() error) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() { _ = one() }) // warm: shims are up, files are in memory
	}
	workers.Wait()
	b.ResetTimer()
	for range parallel {
		workers.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if err := one(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
}
