package redisstore

import (
	"context"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Stats counts what waits in each line, and what runs. It costs the same
// however much that is: one script of a few counts per partition.
func (s *Store) Stats(ctx context.Context) (execution.QueueStats, error) {
	return s.stats(ctx, false)
}

// StatsByQueue is Stats with what runs of each queue, for which Redis reads one
// field of each record that runs: about a millisecond for a thousand.
func (s *Store) StatsByQueue(ctx context.Context) (execution.QueueStats, error) {
	return s.stats(ctx, true)
}

func (s *Store) stats(ctx context.Context, byQueue bool) (execution.QueueStats, error) {
	st := execution.QueueStats{Lines: make(map[string]execution.Line, len(execution.Queues))}
	if err := s.ensure(ctx); err != nil {
		return st, err
	}
	for _, p := range s.prefixes() {
		args := []any{p, byQueue, s.o.Retention.Milliseconds(), s.lookBack().Milliseconds()}
		for _, q := range execution.Queues {
			args = append(args, q)
		}
		n, err := statsScript.Run(ctx, s.rdb, []string{runKey(p)}, args...).Int64Slice()
		if err != nil {
			return st, wrap("count executions", err)
		}
		st.Running += n[0]
		span := max(time.Duration(n[1])*time.Millisecond, leastSpan)
		for i, q := range execution.Queues {
			of, l := n[2+5*i:], st.Lines[q]
			l.Depth += of[0]
			l.Delayed += of[1]
			l.Oldest = max(l.Oldest, time.Duration(of[2])*time.Millisecond)
			l.Running += of[3]
			l.PerMinute += float64(of[4]) / span.Minutes()
			st.Lines[q] = l
		}
	}
	return st, nil
}

// How far back executions that ended are looked for, and what a few of them are
// taken to be of at the least: one that ended a second ago does not make sixty a minute.
const (
	rateSpan  = 5 * time.Minute
	leastSpan = time.Minute
)

// lookBack ends where folding begins, since what is folded is not looked at.
func (s *Store) lookBack() time.Duration {
	if s.o.FoldAfter > 0 {
		return min(rateSpan, s.o.FoldAfter)
	}
	return rateSpan
}

// Counts tells how many executions of each status are kept, folded or not. It
// costs Redis a look at one number for each hundred that are folded.
func (s *Store) Counts(ctx context.Context) (map[execution.Status]int64, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	counts := make(map[execution.Status]int64, len(execution.Statuses))
	for _, p := range s.prefixes() {
		n, err := countsScript.Run(ctx, s.rdb, []string{runKey(p)}, append([]any{p}, indexes(execution.ListQuery{})...)...).Int64Slice()
		if err != nil {
			return nil, wrap("count executions", err)
		}
		for i, status := range execution.Statuses {
			counts[status] += n[i]
		}
	}
	return counts, nil
}
