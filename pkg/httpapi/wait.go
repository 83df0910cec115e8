package httpapi

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

const (
	maxWait = 60 * time.Second // below every proxy's patience that we know of
	// slowPoll heals a lost ring of the bell.
	slowPoll = 2 * time.Second
	// calm is the least time between two reads for one long-poll: a chatty
	// engine rings hundreds of times a second.
	calm = 50 * time.Millisecond
)

// waitOf reads "30s" or "30" and cuts it at maxWait.
func waitOf(name, value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(value)
	if seconds, numErr := strconv.ParseUint(value, 10, 31); numErr == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || d < 0 {
		return 0, execution.InvalidField(name, "must be a duration such as 30s, or a number of seconds; at most 60 s are waited")
	}
	return min(d, maxWait), nil
}

// preferWait finds wait=N in a Prefer header (RFC 7240). What it cannot read it
// ignores, as the RFC wants.
func preferWait(header string) (time.Duration, bool) {
	for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		if d, err := waitOf("Prefer", strings.Trim(strings.TrimSpace(value), `"`)); err == nil {
			return d, true
		}
	}
	return 0, false
}

// matches says whether an If-None-Match header names tag. It compares weakly,
// as RFC 9110 asks for GET.
func matches(header, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == tag {
			return true
		}
	}
	return false
}

// await reads the record until done says so or d has passed, then gives it as it
// is. On a drain it gives it early.
func (s *Server) await(ctx context.Context, id string, d time.Duration, done func(*execution.Record) bool) (*execution.Record, error) {
	rec, err := s.get(ctx, id)
	if err != nil || d == 0 || done(rec) {
		return rec, err
	}
	ring, stop := s.Bells.Listen(rec.ID)
	defer stop()
	waiting, release := s.attach(ctx)
	defer release()
	waiting, cancel := context.WithTimeout(waiting, d)
	defer cancel()
	for {
		// Read after Listen, so that nothing falls between the two.
		if rec, err = s.Records.Get(ctx, rec.ID); err != nil || done(rec) {
			return rec, err
		}
		sleep(waiting, calm)
		select {
		case <-ring:
		case <-time.After(slowPoll):
		case <-waiting.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, ctx.Err()
			}
			return s.Records.Get(ctx, rec.ID)
		}
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
