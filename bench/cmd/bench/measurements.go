package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/longhaul/longhaul/bench/lines"
	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func idleMemory(_ context.Context, s *system) error {
	a, err := rss(s.api.Process.Pid)
	if err != nil {
		return err
	}
	w, err := rss(s.worker.Process.Pid)
	if err != nil {
		return err
	}
	report("idle RSS, API + worker", fmt.Sprintf("%.1f + %.1f = %.1f MB", mb(a), mb(w), mb(a+w)), "<= 60 MB", mb(a+w) <= 60)
	return nil
}

func mb(n int64) float64 { return float64(n) / 1e6 }

// pickUp is the time from the POST to the engine's own first instruction, on an
// idle system, beside what fork and exec of the same program take.
func pickUp(ctx context.Context, s *system, n int) error {
	var through, bare []time.Duration
	for range n {
		start := time.Now()
		started, err := s.client.Start(ctx, api.StartRequest{Command: "probe", Args: []string{"stamp"}}, "")
		if err != nil {
			return err
		}
		if _, err := s.client.Wait(ctx, started.ID); err != nil {
			return err
		}
		var out bytes.Buffer
		if _, err := s.client.OutputText(ctx, started.ID, &out, client.TextQuery{}); err != nil {
			return err
		}
		through = append(through, since(start, out.Bytes()))

		start = time.Now()
		stamp, err := exec.CommandContext(ctx, s.probe(), "stamp").Output()
		if err != nil {
			return err
		}
		bare = append(bare, since(start, stamp))
	}
	p50, most := median(through), slices.Max(through)
	report("pick-up: POST to first instruction", fmt.Sprintf("p50 %.1f ms, max of %d %.1f ms (bare exec %.1f ms)", ms(p50), n, ms(most), ms(median(bare))), "p50 <= 10 ms", p50 <= 10*time.Millisecond)
	return nil
}

func since(start time.Time, stamp []byte) time.Duration {
	ns, err := strconv.ParseInt(strings.TrimSpace(string(stamp)), 10, 64)
	if err != nil {
		return time.Hour // shows itself as nonsense
	}
	return time.Unix(0, ns).Sub(start)
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// logThroughput is a program's output to one SSE subscriber, against the same
// program through a pipe and a loopback socket with nothing in between.
func logThroughput(ctx context.Context, s *system, rounds, n int) error {
	var want bytes.Buffer
	for i := range n {
		want.Write(lines.Line(i))
	}
	var ours, limit []time.Duration
	for range rounds {
		d, err := catOverSocket(ctx, s.probe(), n, want.Len())
		if err != nil {
			return err
		}
		limit = append(limit, d)
		if d, err = overSSE(ctx, s, n, want.Bytes()); err != nil {
			return err
		}
		ours = append(ours, d)
	}
	o, l := median(ours), median(limit)
	ratio := o.Seconds() / l.Seconds()
	report(fmt.Sprintf("%d lines to an SSE client", n), fmt.Sprintf("%.2f s, cat over a socket %.2f s: %.1fx, byte-exact", o.Seconds(), l.Seconds(), ratio), "<= 6x", ratio <= 6)
	a, err := rss(s.api.Process.Pid)
	if err != nil {
		return err
	}
	w, err := rss(s.worker.Process.Pid)
	if err != nil {
		return err
	}
	report("RSS after it, API and worker", fmt.Sprintf("%.0f and %.0f MB", mb(a), mb(w)), "(shown)", true)
	return nil
}

func overSSE(ctx context.Context, s *system, n int, want []byte) (time.Duration, error) {
	start := time.Now()
	started, err := s.client.Start(ctx, api.StartRequest{Command: "probe", Args: []string{"emit", strconv.Itoa(n)}}, "")
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/execute/stream/"+string(started.ID), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	frames := bytes.NewBuffer(make([]byte, 0, len(want)*5/4))
	if _, err := io.Copy(frames, res.Body); err != nil {
		return 0, err
	}
	took := time.Since(start)
	got, err := stdout(frames.Bytes(), len(want))
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(got, want) {
		return 0, fmt.Errorf("the subscriber got %d bytes that differ from the %d written", len(got), len(want))
	}
	return took, nil
}

// stdout joins the chunks of a stream, after the clock has stopped.
func stdout(stream []byte, size int) ([]byte, error) {
	all := make([]byte, 0, size)
	ended := false
	for block := range bytes.SplitSeq(stream, []byte("\n\n")) {
		var kind, data []byte
		for text := range bytes.SplitSeq(block, []byte("\n")) {
			if rest, ok := bytes.CutPrefix(text, []byte("event: ")); ok {
				kind = rest
			} else if rest, ok := bytes.CutPrefix(text, []byte("data: ")); ok {
				data = rest
			}
		}
		switch execution.EventType(kind) {
		case execution.EventLog:
			var d api.LogData
			if err := json.Unmarshal(data, &d); err != nil {
				return nil, err
			}
			all = append(all, d.Bytes()...)
		case execution.EventGap:
			return nil, errors.New("a gap: the log did not fit")
		case execution.EventEnd:
			ended = true
		default:
		}
	}
	if !ended {
		return nil, errors.New("the stream ended without its end event")
	}
	return all, nil
}

func catOverSocket(ctx context.Context, probe string, n, size int) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		sent <- func() error {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			defer conn.Close()
			cmd := exec.CommandContext(ctx, probe, "emit", strconv.Itoa(n))
			out, err := cmd.StdoutPipe()
			if err != nil {
				return err
			}
			if err := cmd.Start(); err != nil {
				return err
			}
			// A plain copy, not splice(2): what a program in between at least does.
			if _, err := io.CopyBuffer(struct{ io.Writer }{conn}, struct{ io.Reader }{out}, make([]byte, 64<<10)); err != nil {
				return err
			}
			return cmd.Wait()
		}()
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	got := bytes.NewBuffer(make([]byte, 0, size))
	if _, err := io.Copy(got, conn); err != nil {
		return 0, err
	}
	took := time.Since(start)
	if err := <-sent; err != nil {
		return 0, err
	}
	if got.Len() != size {
		return 0, fmt.Errorf("cat carried %d bytes of %d", got.Len(), size)
	}
	return took, nil
}

// position is what one poll of a place in a long line costs Redis and the API.
func position(ctx context.Context, s *system, pending int) error {
	rdb, err := redisstore.Dial(s.redisURL)
	if err != nil {
		return err
	}
	defer rdb.Close()
	store := redisstore.New(rdb, redisstore.Options{})
	spec := &execution.Spec{Command: "probe", Args: []string{"stamp"}, Queue: "low", DelaySeconds: 3600}
	spec.Normalize(execution.DefaultLimits())
	var some []*execution.Record
	fmt.Printf("filling the line with %d executions\n", pending)
	for i := range pending {
		c, err := store.Create(ctx, spec, "", "")
		if err != nil {
			return err
		}
		if i%max(1, pending/1000) == 0 {
			some = append(some, c.Record)
		}
	}
	var direct, polled []time.Duration
	for _, r := range some {
		start := time.Now()
		n, err := store.Position(ctx, r)
		if err != nil || n < 0 {
			return fmt.Errorf("position %d: %w", n, err)
		}
		direct = append(direct, time.Since(start))
		start = time.Now()
		if _, err := s.client.Status(ctx, r.ID); err != nil {
			return err
		}
		polled = append(polled, time.Since(start))
	}
	report(fmt.Sprintf("position among %d pending", pending), fmt.Sprintf("p50 %.3f ms; a whole status poll %.2f ms", ms(median(direct)), ms(median(polled))), "p50 <= 1 ms", median(direct) <= time.Millisecond)
	return nil
}
