package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

var away = &execution.Error{Code: execution.Unavailable, Message: "Redis cannot be reached", Err: errors.New("dial tcp 10.0.0.1: refused")}

// patient is a dependency that is as its error says.
type patient struct {
	mu  sync.Mutex // guards err
	err error
}

func (p *patient) look(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *patient) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// paper is what a log is written on.
type paper struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// take gives what was written since the last take.
func (p *paper) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.text.Reset()
	return p.text.String()
}

// pass lets time pass in a bubble of synctest.
func pass(d time.Duration) { <-time.After(d) }

// lines are what was logged, as level and message.
func lines(t *testing.T, text string) (all []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		var l struct{ Level, Message string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, l.Level+" "+l.Message)
	}
	return all
}

func TestTroubleIsLoggedOnceAndItsEndToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out paper
		h := newHealth(telemetry.NewLogger(&out, "json", slog.LevelInfo), telemetry.NewMetrics(""))
		p := &patient{}
		h.add(dependency{name: "redis", gone: "gone", back: "back", every: time.Second, limit: time.Second, required: true, look: p.look})
		if got := h.checks(t.Context()); len(got) != 1 || got[0].OK {
			t.Errorf("before the first look: %+v", got)
		}
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = h.run(ctx) }()
		pass(10*time.Second + 500*time.Millisecond)
		if got := lines(t, out.take()); len(got) != 0 {
			t.Errorf("all is well, and it says %v", got)
		}
		p.set(away)
		pass(20 * time.Second)
		if got := h.checks(t.Context())[0]; got.OK || got.Degrades || time.Since(got.Since) != 19*time.Second+500*time.Millisecond || got.Detail != "Redis cannot be reached" {
			t.Errorf("the check is %+v", got)
		}
		text := out.take()
		if !strings.Contains(text, "10.0.0.1") || !strings.Contains(text, `"since":"`) {
			t.Errorf("the log does not say enough: %s", text)
		}
		if got := fmt.Sprint(lines(t, text)); got != "[warn gone]" {
			t.Errorf("20 s of trouble give %v", got)
		}
		p.set(nil)
		pass(20 * time.Second)
		text = out.take()
		if !strings.Contains(text, `"away":"20s"`) {
			t.Errorf("the log does not say how long: %s", text)
		}
		if got := fmt.Sprint(lines(t, text)); got != "[info back]" {
			t.Errorf("its end gives %v", got)
		}
		if got := h.checks(t.Context())[0]; !got.OK || got.Detail != "" {
			t.Errorf("the check is %+v", got)
		}
		stop()
		synctest.Wait()
	})
}

func TestALookThatHangsIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out paper
		h := newHealth(telemetry.NewLogger(&out, "json", slog.LevelInfo), nil)
		d := h.add(dependency{gone: "gone", every: time.Hour, limit: time.Second, look: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = h.run(ctx) }()
		pass(500 * time.Millisecond)
		if h.wrong(d) {
			t.Error("it failed too early")
		}
		pass(time.Second)
		if !h.wrong(d) {
			t.Error("it still waits")
		}
		out.take()
		d.hurry() // and our own end is no failure of the dependency
		synctest.Wait()
		stop()
		synctest.Wait()
		if text := out.take(); text != "" {
			t.Error(text)
		}
	})
}

func TestWhatIsNotNeededOnlyDegrades(t *testing.T) {
	h := newHealth(slog.New(slog.DiscardHandler), nil)
	redis, files := h.add(dependency{name: "redis", required: true}), h.add(dependency{name: "artifacts", detail: "for everyone"})
	if got := h.checks(t.Context()); len(got) != 1 {
		t.Errorf("what is not needed and was not looked at is no news: %+v", got)
	}
	full := &execution.Error{Code: execution.StorageFull, Message: "Redis is full"}
	for _, tt := range []struct {
		redis, files error
		want         []httpapi.Check
	}{
		{nil, nil, []httpapi.Check{{Name: "redis", OK: true}, {Name: "artifacts", OK: true}}},
		{nil, errors.New("https://bucket.internal: 403"), []httpapi.Check{{Name: "redis", OK: true}, {Name: "artifacts", Degrades: true, Detail: "for everyone"}}},
		{full, nil, []httpapi.Check{{Name: "redis", Degrades: true, Detail: "Redis is full"}, {Name: "artifacts", OK: true}}},
		{away, nil, []httpapi.Check{{Name: "redis", Detail: "Redis cannot be reached"}, {Name: "artifacts", OK: true}}},
	} {
		h.found(redis, tt.redis, time.Now())
		h.found(files, tt.files, time.Now())
		for i, got := range h.checks(t.Context()) {
			if got.Since = (time.Time{}); got != tt.want[i] {
				t.Errorf("%v, %v: %+v, want %+v", tt.redis, tt.files, got, tt.want[i])
			}
		}
	}
}

func TestAnOutageDoesNotFillTheLog(t *testing.T) {
	var out paper
	raw := telemetry.NewLogger(&out, "json", slog.LevelInfo)
	h := newHealth(raw, nil)
	redis := h.add(dependency{name: "redis", required: true, gone: "gone", back: "back"})
	line := calm{Handler: raw.Handler(), health: h, redis: redis}
	log := slog.New(line).With("part", "reaper").WithGroup("g")
	line.all = true
	asynq := slog.New(line)
	speak := func() {
		log.Warn("reaper", "error", fmt.Errorf("tick: %w", away))
		log.Warn("engine not started", "error", errors.New("no such file"))
		log.Warn("the outcome waits on disk", "status", "failed")
		log.Error("not settled", "error", away)
		asynq.Error("Dequeue error")
		asynq.Info("hello")
	}

	h.found(redis, nil, time.Now())
	speak()
	if got := lines(t, out.take()); len(got) != 6 {
		t.Errorf("Redis is there, and of six lines are left %v", got)
	}
	select {
	case <-redis.sooner:
	default:
		t.Error("the first error asks for no look")
	}
	h.found(redis, away, time.Now())
	speak()
	if got := fmt.Sprint(lines(t, out.take())); got != "[warn gone warn engine not started warn the outcome waits on disk error not settled info hello]" {
		t.Errorf("in the outage: %v", got)
	}
	h.found(redis, nil, time.Now())
	speak()
	if got := lines(t, out.take()); len(got) != 7 || got[0] != "info back" {
		t.Errorf("after it: %v", got)
	}
}

func TestWhatIsLeftOutIsThereForWhoDebugs(t *testing.T) {
	var out paper
	raw := telemetry.NewLogger(&out, "json", slog.LevelDebug)
	h := newHealth(raw, nil)
	redis := h.add(dependency{name: "redis", gone: "gone"})
	h.found(redis, away, time.Now())
	slog.New(calm{Handler: raw.Handler(), health: h, redis: redis}).Warn("reaper", "error", away)
	if got := fmt.Sprint(lines(t, out.take())); got != "[warn gone debug reaper]" {
		t.Errorf("%v", got)
	}
}
