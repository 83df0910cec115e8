package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// keyboard does what signals say while an execution is watched: the first
// Ctrl-C cancels it, the second kills it, the third leaves it alone; Ctrl-\ and
// a closed terminal leave it alone at once.
type keyboard struct {
	to    *connection
	view  *view
	leave context.CancelCauseFunc
	calls sync.WaitGroup
}

func (k *keyboard) run(ctx context.Context, signals <-chan os.Signal) {
	defer k.calls.Wait()
	for stops := 0; ; {
		var sig os.Signal
		select {
		case <-ctx.Done():
			return
		case sig = <-signals:
		}
		s, _ := sig.(syscall.Signal)
		if s != syscall.SIGINT && s != syscall.SIGTERM {
			k.leave(leftBy{s})
			return
		}
		switch stops++; stops {
		case 1:
			k.say("cancelling; Ctrl-C again kills it, Ctrl-\\ leaves it alone")
			k.cancel(ctx, false)
		case 2:
			k.say("killing; Ctrl-C again leaves it alone")
			k.cancel(ctx, true)
		default:
			k.leave(leftBy{s})
			return
		}
	}
}

func (k *keyboard) say(text string) {
	k.view.state.setNote("cancelling")
	k.view.screen.say("%s", text)
}

// cancelPause is between two tries against a server that is away.
const cancelPause = 2 * time.Second

// cancel asks until the server has heard it. It does not hold up the next signal.
func (k *keyboard) cancel(ctx context.Context, force bool) {
	k.calls.Go(func() {
		for told := false; ; told = true {
			_, err := k.to.stop(ctx, k.view.id, force, 0)
			if err == nil || ctx.Err() != nil || execution.CodeOf(err) == execution.Conflict {
				return
			}
			if p, ok := errors.AsType[*client.Problem](err); ok && p.Status < http.StatusInternalServerError {
				k.view.screen.say("not cancelled: %v", k.to.withHint(err))
				return
			}
			if !told {
				k.view.screen.say("not cancelled yet, trying on: %v", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(cancelPause):
			}
		}
	})
}
