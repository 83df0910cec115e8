package redisstore

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// wrap gives an error of Redis the code that callers decide by: StorageFull when
// it is at maxmemory, Unavailable for everything that passes by itself.
func wrap(doing string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var known *execution.Error
	if errors.As(err, &known) {
		return err
	}
	if isFull(err) {
		return &execution.Error{
			Code:    execution.StorageFull,
			Message: "Redis is full: raise its maxmemory, or lower RETENTION; nothing accepted is lost",
			Err:     errors.New(doing + ": " + err.Error()),
		}
	}
	return &execution.Error{
		Code:    execution.Unavailable,
		Message: "Redis cannot be reached (the setting REDIS_URL); try again soon",
		Err:     errors.New(doing + ": " + err.Error()),
	}
}

// isFull knows the two wordings of "maxmemory reached": of a command, and of a
// script that met it.
func isFull(err error) bool {
	var re redis.Error
	return errors.As(err, &re) && (strings.HasPrefix(re.Error(), "OOM ") || strings.Contains(re.Error(), "OOM command not allowed"))
}

func gone(id execution.ID) error {
	return execution.Errorf(execution.NotFound, "there is no execution %s: it never was, or its retention is over (the setting RETENTION)", id)
}
