package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/bench/lines"
	"github.com/longhaul/longhaul/bench/proc"
	"github.com/longhaul/longhaul/bench/wire"
	"github.com/longhaul/longhaul/pkg/execution"
)

// biglog: what a log of 1 GB does to the memory of API and worker, while one reads
// it and another one has opened it and does not read. With an artifact store
// (ARTIFACTS_URL), which is how logs of that size are kept whole.
var biglog = &scenario{
	name: "biglog", what: "one execution prints 1 GB (ARTIFACTS_URL=file://), one reader follows it, another one does not read",
	columns: []column{
		{"api", "API RSS above idle, MB"}, {"worker", "worker RSS above idle, MB"}, {"redis", "Redis above idle, MB"}, {"seconds", "s"}, {"rate", "lines/s"},
	},
	run: runBigLog,
}

func runBigLog(ctx context.Context, r *round, c contestant) error {
	store, err := r.folder("artifacts")
	if err != nil {
		return err
	}
	o := startOptions{env: []string{"ARTIFACTS_URL=file://" + filepath.ToSlash(store)}}
	return r.with(ctx, c, o, func(st *stack) error {
		n := r.size.bigLines
		id, start, err := st.postWaiting(r.session, "emit", strconv.Itoa(n), strconv.Itoa(lines.Size))
		if err != nil {
			return err
		}
		reader, err := st.open(id)
		if err != nil {
			return err
		}
		defer reader.Close()
		stalled, err := st.open(id)
		if err != nil {
			return err
		}
		defer stalled.Close()
		pids := map[string]int{"api": st.api[0], "worker": st.workers[0], "redis": st.redis.pid()}
		before, most := map[string]int64{}, map[string]func() (int64, error){}
		for name, pid := range pids {
			if before[name], err = proc.RSS(pid); err != nil {
				return err
			}
			most[name] = watchRSS(pid)
		}
		begin := time.Now()
		if err := start(); err != nil {
			return err
		}
		chunks, readErr := readWhole(reader)
		took := time.Since(begin)
		for name, peak := range most {
			m, err := peak()
			if err != nil {
				return errors.Join(err, readErr)
			}
			r.set(c.name, name, mb(m-before[name]))
		}
		r.set(c.name, "seconds", took.Seconds())
		r.set(c.name, "rate", float64(n)/took.Seconds())
		r.set(c.name, "chunks", float64(chunks))
		return readErr
	})
}

// readWhole reads to the end, and makes sure that nothing was left out.
func readWhole(from io.Reader) (chunks int, err error) {
	frames := wire.NewFrames(from)
	for {
		f, err := frames.Next()
		if err != nil {
			return chunks, fmt.Errorf("after %d chunks: %w", chunks, err)
		}
		switch execution.EventType(f.Event) {
		case execution.EventLog:
			chunks++
		case execution.EventGap:
			return chunks, fmt.Errorf("a gap: %s", f.Data)
		case execution.EventEnd:
			return chunks, nil
		}
	}
}
