package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

// health knows since when each dependency has been as it is.
type health struct {
	p *parts

	mu    sync.Mutex // guards redis
	redis httpapi.Check
}

func newHealth(p *parts) *health {
	return &health{p: p, redis: httpapi.Check{Name: "redis"}}
}

// checkTimeout keeps a probe from hanging where Redis does.
const checkTimeout = 2 * time.Second

func (h *health) check(ctx context.Context) []httpapi.Check {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := h.p.store.Ready(ctx)
	if err == nil {
		err = h.p.store.Ping(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok := err == nil; h.redis.Since.IsZero() || h.redis.OK != ok {
		h.redis.OK, h.redis.Since = ok, time.Now()
	}
	h.redis.Detail = ""
	if err != nil {
		// For everyone to see: what it means, not where Redis is. The log has the rest.
		h.redis.Detail = "not reachable"
		if e, ok := errors.AsType[*execution.Error](err); ok {
			h.redis.Detail = e.Message
		}
	}
	return []httpapi.Check{h.redis}
}
