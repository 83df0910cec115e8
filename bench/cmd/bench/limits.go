package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/bench/wire"
)

// forkTime is how long it takes to start and reap /bin/true n times, five at a
// time, as Longhaul does it at the least: in a process group of its own, with
// stdout and stderr read to their end.
func forkTime(ctx context.Context, n int) (time.Duration, error) {
	begin := time.Now()
	err := parallel(n, 5, func(int) error {
		return bare(ctx, "/bin/true").Run()
	})
	return time.Since(begin), err
}

// bare starts a program as Longhaul does it at the least.
func bare(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard // no files, so these are pipes
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// forkRate is the best of three tries: what the machine can do, and not what a
// try of a quarter of a second met.
func forkRate(ctx context.Context, n int) (float64, error) {
	best := 0.0
	for range 3 {
		d, err := forkTime(ctx, max(n/3, 1))
		if err != nil {
			return 0, err
		}
		best = max(best, float64(max(n/3, 1))/d.Seconds())
	}
	return best, nil
}

// catOverSocket is how long a program's output takes through a pipe and a
// loopback socket, with nothing in between that looks at it.
func catOverSocket(ctx context.Context, probe string, lines int, into []byte) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	begin := time.Now()
	sent := make(chan error, 1)
	go func() { sent <- cat(ctx, l, probe, lines) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	got, err := readInto(conn, into)
	took := time.Since(begin)
	if err == nil {
		err = <-sent
	}
	if err == nil && got != lines*100 {
		err = fmt.Errorf("cat carried %d bytes of %d", got, lines*100)
	}
	return took, err
}

func cat(ctx context.Context, l net.Listener, probe string, lines int) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	cmd := exec.CommandContext(ctx, probe, "emit", strconv.Itoa(lines))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// A plain copy, not splice(2): what a program in between does at the least.
	if _, err := io.CopyBuffer(struct{ io.Writer }{conn}, struct{ io.Reader }{out}, make([]byte, 64<<10)); err != nil {
		return err
	}
	return cmd.Wait()
}

// readInto reads to the end, into memory that is there already.
func readInto(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) {
		m, err := r.Read(b[n:])
		n += m
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, io.ErrShortBuffer
}

// hello is an Echo server that does nothing, in a process of its own.
func (r *round) hello(ctx context.Context, do func(url string) error) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	c, err := r.spawnSelf(os.Environ(), "hello", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	defer c.stop()
	url := "http://127.0.0.1:" + port + "/"
	if err := first200(ctx, url); err != nil {
		return err
	}
	return do(url)
}

func helloCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hello ADDRESS", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			e := echo.New()
			e.HideBanner, e.HidePort = true, true
			e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "hello") })
			return e.Start(args[0])
		},
	}
}

// flood sends one request n times over c connections, and says how long each took.
func flood(r wire.Request, n, c int) (each []time.Duration, all time.Duration, err error) {
	conns := make(chan *wire.Conn, c)
	for range c {
		conn, err := wire.Dial(r)
		if err != nil {
			return nil, 0, err
		}
		defer conn.Close()
		conns <- conn
	}
	each = make([]time.Duration, n)
	begin := time.Now()
	err = parallel(n, c, func(i int) error {
		conn := <-conns
		defer func() { conns <- conn }()
		from := time.Now()
		_, err := conn.Do(r)
		each[i] = time.Since(from)
		return err
	})
	return each, time.Since(begin), err
}

// parallel does n things, some at a time, and stops at the first error.
func parallel(n, atOnce int, do func(i int) error) error {
	var mu sync.Mutex // guards next and first
	next, first := 0, error(nil)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= n && first == nil
	}
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				if err := do(i); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return first
}
