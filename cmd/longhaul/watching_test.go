package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
)

// A signal can come when the server has started it and its answer is on the way.
func TestASignalBesideTheAnswerIsNotLost(t *testing.T) {
	signals := make(chan os.Signal, 4)
	signals <- syscall.SIGHUP
	started, err := startUnlessStopped(t.Context(), signals, func(ctx context.Context) (*api.Started, error) {
		<-ctx.Done()
		return &api.Started{ID: "exec_1_000000000"}, nil
	})
	if err != nil || started == nil {
		t.Fatalf("%v, %v", started, err)
	}
	select {
	case sig := <-signals:
		if sig != syscall.SIGHUP {
			t.Errorf("it became %v", sig)
		}
	default:
		t.Error("who watches is not told of it")
	}
}

func TestASignalBeforeTheAnswerGivesUpAndSaysSo(t *testing.T) {
	signals := make(chan os.Signal, 4)
	signals <- syscall.SIGINT
	started, err := startUnlessStopped(t.Context(), signals, func(ctx context.Context) (*api.Started, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	if started != nil || err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "longhaul ls says whether it was started") {
		t.Errorf("%v, %v", started, err)
	}
	if len(signals) > 0 {
		t.Error("a signal is left over that has been heeded")
	}
}
