package app

import (
	"context"
	"log/slog"

	"github.com/longhaul/longhaul/pkg/execution"
)

// calm keeps an outage of Redis from filling the log: everything that goes on
// trying would say each time what health says once. While health knows that
// Redis is away, lines that only repeat it are logged at the level debug. Lines
// about what an outage does to an execution carry no such error, and stay.
type calm struct {
	slog.Handler
	health *health
	redis  *dependency
	all    bool // every warning and error is of that kind: Asynq's, which come as text
}

// Handle implements slog.Handler.
func (c calm) Handle(ctx context.Context, r slog.Record) error {
	if !c.repeats(r) {
		return c.Handler.Handle(ctx, r)
	}
	if !c.health.wrong(c.redis) {
		c.redis.hurry() // this one may be the first to know
		return c.Handler.Handle(ctx, r)
	}
	if !c.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	r.Level = slog.LevelDebug
	return c.Handler.Handle(ctx, r)
}

// repeats knows a line that tells of nothing but Redis.
func (c calm) repeats(r slog.Record) bool {
	if c.all {
		return r.Level >= slog.LevelWarn
	}
	found := false
	if r.Level == slog.LevelWarn {
		r.Attrs(func(a slog.Attr) bool {
			err, ok := a.Value.Any().(error)
			if ok {
				code := execution.CodeOf(err)
				found = code == execution.Unavailable || code == execution.StorageFull
			}
			return !found
		})
	}
	return found
}

// WithAttrs implements slog.Handler.
func (c calm) WithAttrs(attrs []slog.Attr) slog.Handler {
	c.Handler = c.Handler.WithAttrs(attrs)
	return c
}

// WithGroup implements slog.Handler.
func (c calm) WithGroup(name string) slog.Handler {
	c.Handler = c.Handler.WithGroup(name)
	return c
}
