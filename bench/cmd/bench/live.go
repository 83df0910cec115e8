package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/bench/lines"
	"github.com/longhaul/longhaul/bench/stat"
	"github.com/longhaul/longhaul/bench/wire"
)

// live: from a line's write(2) to the subscriber's read(2), one line each 10 ms.
var live = &scenario{
	name: "live", what: "from the write of a line to its arrival at an SSE subscriber, one line each 10 ms",
	peers:   []string{"fastapi", "mercure"},
	columns: []column{{"p50", "p50 ms"}, {"p99", "p99 ms"}, {"seen", "lines seen"}, {"expected", "of"}},
	run:     runLive,
}

func runLive(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{}, func(st *stack) error {
		id, start, err := st.postWaiting(r.session, "emit", "-l", strconv.Itoa(r.size.liveLines), "10000")
		if err != nil {
			return err
		}
		body, err := st.open(id)
		if err != nil {
			return err
		}
		defer body.Close()
		if err := start(); err != nil {
			return err
		}
		each, tally, err := watch(body, r.size.liveLines)
		if err != nil {
			return err
		}
		r.setMS(c.name, "p50", stat.Quantile(each, 0.5))
		r.setMS(c.name, "p99", stat.Quantile(each, 0.99))
		r.set(c.name, "seen", float64(tally.Seen))
		r.set(c.name, "expected", float64(r.size.liveLines))
		if wrong := tally.Wrong(r.size.liveLines); wrong > 0 {
			return fmt.Errorf("%d lines were lost, doubled or reordered: %+v", wrong, tally)
		}
		return nil
	})
}

// watch reads a stream of stamped lines until all have come.
func watch(from wire.Source, n int) ([]time.Duration, lines.Tally, error) {
	var tally lines.Tally
	each := make([]time.Duration, 0, n)
	buf := make([]byte, 64<<10)
	for tally.Seen < n {
		m, err := from.Read(buf)
		now := time.Now()
		tally.Feed(buf[:m], func(written time.Time) { each = append(each, now.Sub(written)) })
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, tally, err
		}
	}
	return each, tally, nil
}
