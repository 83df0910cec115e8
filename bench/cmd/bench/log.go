package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/bench/lines"
	"github.com/longhaul/longhaul/bench/wire"
	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// logs: a million lines of one process to one subscriber, byte-exact, against the
// same program through a pipe and a socket.
var logs = &scenario{
	name: "log", what: "lines of 100 bytes from one process to one SSE subscriber, compared byte by byte afterwards",
	peers: []string{"fastapi"},
	columns: []column{
		{"rate", "lines/s"}, {"million", "s for 1 M lines"}, {"limit", "over cat"}, {"cpu", "CPU s per 1 M, all and Redis"}, {"stored", "Redis bytes per log byte"}, {"peak", "peak RSS MB"},
	},
	limits: func(ctx context.Context, r *round) error {
		d, err := catOverSocket(ctx, filepath.Join(r.bin, "probe"), r.size.lines, r.memory(r.size.lines*lines.Size))
		r.set("limit", "rate", float64(r.size.lines)/d.Seconds())
		r.set("limit", "million", d.Seconds()*1e6/float64(r.size.lines))
		r.set("limit", "limit", 1)
		return err
	},
	run: runLog,
}

// slowLines is how many lines a system prints that takes a hundred times as long.
func (r *round) linesFor(c contestant) int {
	if c.name == "fastapi" {
		return min(r.size.lines, r.size.slowLines)
	}
	return r.size.lines
}

func runLog(ctx context.Context, r *round, c contestant) error {
	n := r.linesFor(c)
	return r.with(ctx, c, startOptions{}, func(st *stack) error {
		usedBefore, err := st.redis.used(ctx)
		if err != nil {
			return err
		}
		cpuBefore, err := st.cpu()
		if err != nil {
			return err
		}
		into := r.memory(n * lines.Size)
		took, got, err := st.follow(r, into, "emit", strconv.Itoa(n), strconv.Itoa(lines.Size))
		if err != nil {
			return err
		}
		cpuAfter, err := st.cpu()
		if err != nil {
			return err
		}
		usedAfter, err := st.redis.used(ctx)
		if err != nil {
			return err
		}
		peak, err := st.rss()
		if err != nil {
			return err
		}
		if err := sameLog(got, lines.All(n), st.ours != nil); err != nil {
			return err
		}
		perMillion := 1e6 / float64(n)
		r.set(c.name, "rate", float64(n)/took.Seconds())
		r.set(c.name, "million", took.Seconds()*perMillion)
		r.set(c.name, "limit", took.Seconds()*perMillion/r.Values["limit/million"])
		r.set(c.name, "cpu", (cpuAfter-cpuBefore).Seconds()*perMillion)
		r.set(c.name, "peak", mb(peak.Peak))
		if st.ours != nil { // no other one keeps the log
			r.set(c.name, "stored", float64(usedAfter-usedBefore)/float64(n*lines.Size))
		}
		return nil
	})
}

// follow posts a program that waits for a file, opens its stream, lets it go, and
// reads to the end. The clock runs from the file to the end.
func (s *stack) follow(r *round, into []byte, args ...string) (took time.Duration, stream []byte, err error) {
	id, start, err := s.postWaiting(r.session, args...)
	if err != nil {
		return 0, nil, err
	}
	body, err := s.open(id)
	if err != nil {
		return 0, nil, err
	}
	defer body.Close()
	begin := time.Now()
	if err := start(); err != nil {
		return 0, nil, err
	}
	n, err := readInto(body, into)
	return time.Since(begin), into[:n], err
}

// memory is for a stream of that much output; it has been touched, so that
// filling it costs no page faults.
func (s *session) memory(output int) []byte {
	want := output*7/4 + 1<<20
	if len(s.arena) < want {
		s.arena = make([]byte, want)
		for i := 0; i < want; i += 4096 {
			s.arena[i] = 1
		}
	}
	return s.arena[:want]
}

// sameLog compares what a subscriber got with what was printed.
func sameLog(stream, want []byte, ours bool) error {
	got := make([]byte, 0, len(want))
	frames, ended := wire.NewFrames(bytes.NewReader(stream)), false
	for {
		f, err := frames.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch kind := execution.EventType(f.Event); {
		case kind == execution.EventEnd:
			ended = true
		case kind == execution.EventGap:
			return fmt.Errorf("a gap in the log: %s", f.Data)
		case !ours: // a frame is a line
			got = append(append(got, f.Data...), '\n')
		case kind == execution.EventLog:
			var d api.LogData
			if err := json.Unmarshal(f.Data, &d); err != nil {
				return err
			}
			got = append(got, d.Bytes()...)
		}
	}
	if !ended {
		return errors.New("the stream ended without its end event")
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("the subscriber got %d bytes that differ from the %d printed", len(got), len(want))
	}
	return nil
}

// checkOutput reads the stored log of n lines.
func (l *longhaul) checkOutput(id string, n int) error {
	text, err := l.output(id)
	if err == nil && !bytes.Equal(text, lines.All(n)) {
		err = fmt.Errorf("the log of a program that printed %d lines is %.200q", n, text)
	}
	return err
}
