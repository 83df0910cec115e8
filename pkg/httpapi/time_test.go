package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
	"github.com/longhaul/longhaul/pkg/hub"
)

// clocked is a server whose time is synctest's; requests go to it directly.
type clocked struct {
	t     *testing.T
	store *store
	srv   *httpapi.Server
}

func withClock(t *testing.T, change func(*httpapi.Options), test func(*clocked)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &clocked{t: t, store: newStore()}
		h := hub.New(c.store, c.store, hub.Options{Encode: httpapi.EncodeSSE})
		o := httpapi.Options{
			Dispatcher: c.store, Records: c.store, Events: c.store, Bells: c.store,
			Hub: h, Catalog: catalog{}, Tokens: []string{token},
		}
		change(&o)
		c.srv = httpapi.New(o)
		test(c)
		if err := h.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

// get asks with the API token and gives the whole answer and how long it took.
func (c *clocked) get(ctx context.Context, path string) (*httptest.ResponseRecorder, time.Duration) {
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if !strings.Contains(path, "token=") {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, began := httptest.NewRecorder(), time.Now()
	c.srv.ServeHTTP(res, req)
	return res, time.Since(began)
}

func (c *clocked) begin() execution.ID {
	req := httptest.NewRequestWithContext(c.t.Context(), http.MethodPost, "/execute/start", strings.NewReader(`{"command":"python"}`))
	req.Header.Set("Authorization", "Bearer "+token)
	res := httptest.NewRecorder()
	c.srv.ServeHTTP(res, req)
	if res.Code != http.StatusAccepted {
		c.t.Fatalf("start: %d %s", res.Code, res.Body)
	}
	return c.store.order[len(c.store.order)-1]
}

func TestASilentStreamIsKeptAlive(t *testing.T) {
	withClock(t, func(o *httpapi.Options) { o.KeepAlive = 15 * time.Second }, func(c *clocked) {
		id := c.begin()
		ctx, hangUp := context.WithTimeout(c.t.Context(), 50*time.Second)
		defer hangUp()
		res, _ := c.get(ctx, "/execute/stream/"+string(id))
		if got := strings.Count(res.Body.String(), ": keep-alive\n\n"); got != 3 {
			t.Errorf("%d keep-alives in 50 s: %q", got, res.Body)
		}
	})
}

func TestAStreamWhoseEventsAreFilteredOutIsKeptAliveToo(t *testing.T) {
	withClock(t, func(o *httpapi.Options) { o.KeepAlive = 15 * time.Second }, func(c *clocked) {
		id := c.begin()
		ctx, hangUp := context.WithTimeout(c.t.Context(), 40*time.Second)
		defer hangUp()
		for i := range 40 {
			time.AfterFunc(time.Duration(i)*time.Second, func() { c.store.log(id, execution.Stdout, "x") })
		}
		res, _ := c.get(ctx, "/execute/stream/"+string(id)+"?events=progress")
		if got := strings.Count(res.Body.String(), ": keep-alive"); got < 2 || strings.Contains(res.Body.String(), "event: log") {
			t.Errorf("%d keep-alives: %q", got, res.Body)
		}
	})
}

func TestAResponseEndsBeforeItsLimitAndASubscriptionByItsOwn(t *testing.T) {
	for _, tt := range []struct {
		name              string
		limit, sse        time.Duration
		shortest, longest time.Duration
	}{
		{"SSE_RESPONSE_LIMIT", 14 * time.Minute, 2 * time.Hour, 12 * time.Minute, 14 * time.Minute},
		{"MAX_SSE_DURATION", 14 * time.Minute, time.Minute, time.Minute, time.Minute},
	} {
		withClock(t, func(o *httpapi.Options) { o.ResponseLimit, o.MaxSSE = tt.limit, tt.sse }, func(c *clocked) {
			id := c.begin()
			res, took := c.get(c.t.Context(), "/execute/stream/"+string(id))
			if took < tt.shortest || took > tt.longest {
				t.Errorf("%s: the response lasted %v", tt.name, took)
			}
			if body := res.Body.String(); !strings.HasSuffix(body, "\n\n") || strings.Count(body, "retry: ") != 2 {
				t.Errorf("%s: it ended with %q", tt.name, body)
			}
		})
	}
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	withClock(t, func(o *httpapi.Options) { o.MaxSSE = 10 * time.Minute; o.ResponseLimit = time.Hour }, func(c *clocked) {
		id := c.begin()
		began := time.Now()
		req := httptest.NewRequestWithContext(c.t.Context(), http.MethodPost, "/execute/stream-token/"+string(id), nil)
		req.Header.Set("Authorization", "Bearer "+token)
		issued := httptest.NewRecorder()
		c.srv.ServeHTTP(issued, req)
		_, streamToken, _ := strings.Cut(issued.Body.String(), `"stream_token":"`)
		streamToken, _, _ = strings.Cut(streamToken, `"`)

		<-time.After(4 * time.Minute) // its first response was cut; the token goes on
		res, _ := c.get(c.t.Context(), "/execute/stream/"+string(id)+"?token="+streamToken)
		if total := time.Since(began); res.Code != http.StatusOK || total > 10*time.Minute || total < 9*time.Minute {
			t.Errorf("%d: the subscription lasted %v in all", res.Code, total)
		}
		if res, _ := c.get(c.t.Context(), "/execute/stream/"+string(id)+"?token="+streamToken); res.Code != http.StatusUnauthorized {
			t.Errorf("afterwards: %d", res.Code)
		}
	})
}

func TestALongPollWaitsAsLongAsAskedAndAMinuteAtMost(t *testing.T) {
	for wait, want := range map[string]time.Duration{"30s": 30 * time.Second, "10": 10 * time.Second, "1h": time.Minute} {
		withClock(t, func(*httpapi.Options) {}, func(c *clocked) {
			id := c.begin()
			res, took := c.get(c.t.Context(), "/execute/status/"+string(id)+"?wait="+wait)
			if res.Code != http.StatusOK || took < want || took > want+time.Second {
				t.Errorf("wait=%s took %v and gave %d", wait, took, res.Code)
			}
		})
	}
}

func TestALongPollNoticesTheEndThoughNoBellRings(t *testing.T) {
	withClock(t, func(*httpapi.Options) {}, func(c *clocked) {
		id := c.begin()
		time.AfterFunc(5*time.Second, func() {
			c.store.mu.Lock()
			defer c.store.mu.Unlock()
			c.store.bells = nil // a lost connection: nobody is rung
			c.store.settle(id, execution.Outcome{Status: execution.Errored, Reason: execution.ReasonWorkerLost})
		})
		res, took := c.get(c.t.Context(), "/execute/status/"+string(id)+"?wait=60s")
		if !strings.Contains(res.Body.String(), `"reason":"worker_lost"`) || took > 8*time.Second {
			t.Errorf("after %v: %s", took, res.Body)
		}
	})
}

func TestAChattyEngineDoesNotMakeALongPollBusy(t *testing.T) {
	withClock(t, func(*httpapi.Options) {}, func(c *clocked) {
		id := c.begin()
		c.store.start(id)
		counted := &countingRecords{Records: c.store}
		c.srv.Records = counted
		stop := make(chan struct{})
		go func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					c.store.log(id, execution.Stdout, "x")
				case <-stop:
					return
				}
			}
		}()
		c.get(c.t.Context(), "/execute/status/"+string(id)+"?wait=10s")
		close(stop)
		if counted.gets > 250 { // one in 50 ms
			t.Errorf("%d reads of the record in 10 s", counted.gets)
		}
	})
}

type countingRecords struct {
	httpapi.Records
	gets int
}

func (c *countingRecords) Get(ctx context.Context, id execution.ID) (*execution.Record, error) {
	c.gets++
	return c.Records.Get(ctx, id)
}
