package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// frames answers with a stream of the given numbers; 9 is the end event.
func frames(t *testing.T, after string, numbers ...int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("after"); got != after {
			t.Errorf("asked for what is after %s, not %s", got, after)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "retry: 1\n\n: keep-alive\n\n")
		for _, n := range numbers {
			event := "log"
			if n == 9 {
				event = "end"
			}
			_, _ = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: {\"n\":%d,\"attempt\":2,\"time\":\"2026-01-02T03:04:05.678Z\"}\n\n", n, event, n)
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// then does a after what next writes.
func then(next http.HandlerFunc, a func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { next(w, r); a(w, r) }
}

// hang is silent until the client goes away.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func half(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "id: 5\nevent: log\ndata: {\"n\"")
	_ = http.NewResponseController(w).Flush()
	cut(w, r)
}

func TestAStreamIsWholeOverEveryKindOfCut(t *testing.T) {
	c, n := serve(t, client.Options{Silence: 100 * time.Millisecond},
		frames(t, "0", 1, 2),               // rotated
		answer(502, "a deploy"),            // away
		cut,                                // away
		then(frames(t, "2", 3, 4), half),   // cut within a frame
		then(frames(t, "4", 3, 4, 5), cut), // doubled, then cut
		then(frames(t, "5", 6), hang),      // dead without a word
		answer(503, api.Problem{Code: execution.Unavailable, Detail: "drains"}),
		frames(t, "6", 7, 8, 9),
	)
	var got []execution.Cursor
	for e, err := range c.Stream(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Attempt != 2 || e.Time.Nanosecond() != 678e6 || e.Type == "" {
			t.Errorf("event is %+v", e)
		}
		got = append(got, e.Seq)
	}
	if fmt.Sprint(got) != "[1 2 3 4 5 6 7 8 9]" || n.Load() != 8 {
		t.Errorf("got %v in %d connections", got, n.Load())
	}
}

func TestAStreamEndsWhenThereIsNothingMore(t *testing.T) {
	c, _ := serve(t, client.Options{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for e, err := range c.Stream(t.Context(), id, 9) {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestAStreamYieldsWhatTryingOnCannotCure(t *testing.T) {
	c, n := serve(t, client.Options{}, answer(404, api.Problem{Code: execution.NotFound, Detail: "gone"}))
	count := 0
	for _, err := range c.Stream(t.Context(), id, 0) {
		if count++; execution.CodeOf(err) != execution.NotFound {
			t.Errorf("error is %v", err)
		}
	}
	if count != 1 || n.Load() != 1 {
		t.Errorf("%d errors of %d tries", count, n.Load())
	}
}

func TestAPageThatIsNoStreamIsNotReadAsOneForEver(t *testing.T) {
	c, _ := serve(t, client.Options{GiveUpAfter: 200 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<h1>Log in</h1>") })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var last error
	for _, err := range c.Stream(ctx, id, 0) {
		last = err
	}
	if last == nil || ctx.Err() != nil || !strings.Contains(last.Error(), "no event stream") {
		t.Errorf("error is %v", last)
	}
}

func TestAStreamMayBeLeftAndIsEndedByItsContext(t *testing.T) {
	c, _ := serve(t, client.Options{}, then(frames(t, "0", 1, 2), hang))
	for e := range c.Stream(t.Context(), id, 0) {
		if e.Seq == 1 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for e, err := range c.Stream(ctx, id, 0) {
		if last = err; e.Seq == 2 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("error is %v", last)
	}
}
