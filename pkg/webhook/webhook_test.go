package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// memory is a Queue that follows the contract: leases of a minute included.
type memory struct {
	mu   sync.Mutex
	jobs map[string]*job
	err  error
}

type job struct {
	Delivery
	at    time.Time
	ended bool
	log   []string
}

func queueOf(deliveries ...Delivery) *memory {
	q := &memory{jobs: map[string]*job{}}
	for _, d := range deliveries {
		q.jobs[d.ID] = &job{Delivery: d}
	}
	return q
}

func (q *memory) Due(_ context.Context, now time.Time, limit int) ([]Delivery, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var due []Delivery
	for _, j := range q.jobs {
		if len(due) < limit && !j.ended && !j.at.After(now) {
			j.at = now.Add(time.Minute)
			due = append(due, j.Delivery)
		}
	}
	return due, q.err
}

func (q *memory) Done(_ context.Context, id string, ok bool, status int, errText string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[id].ended = true
	q.jobs[id].log = append(q.jobs[id].log, fmt.Sprint("done ", ok, " ", status, " ", errText))
	return q.err
}

func (q *memory) Retry(_ context.Context, id string, at time.Time, status int, errText string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[id].at = at
	q.jobs[id].Attempt++
	q.jobs[id].log = append(q.jobs[id].log, fmt.Sprint("retry ", status, " ", errText))
	return q.err
}

func (q *memory) history(id string) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return strings.Join(q.jobs[id].log, "|")
}

// answer is a RoundTripper without a network.
type answer func(*http.Request) (*http.Response, error)

func (f answer) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(status int, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("body"))}
}

func deliverer(t *testing.T, q Queue, o Options) *Deliverer {
	t.Helper()
	if o.Secret == "" {
		o.Secret = secret
	}
	d, err := New(q, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func hello(url string) Delivery {
	return Delivery{ID: "msg_1", URL: url, Body: []byte(`{"type":"execution.completed"}`), Attempt: 1}
}

func TestADeliveryIsSignedForOldAndNewSecret(t *testing.T) {
	var header http.Header
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	q := queueOf(hello(server.URL))
	d := deliverer(t, q, Options{Secret: newSecret + ", " + secret, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer d.client.CloseIdleConnections()
	if n, err := d.Deliver(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for _, s := range []string{secret, newSecret} {
		wh, err := standardwebhooks.NewWebhook(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := wh.Verify(body, header); err != nil {
			t.Errorf("the receiver does not accept it: %v", err)
		}
	}
	if header.Get("Webhook-Id") != "msg_1" || header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", header)
	}
	if got := q.history("msg_1"); got != "done true 200 " {
		t.Errorf("history %q", got)
	}
}

func TestAFailingReceiverIsTriedSevenTimesOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		ids := map[string]bool{}
		q := queueOf(hello("https://receiver.example/hook"))
		d := deliverer(t, q, Options{Transport: answer(func(r *http.Request) (*http.Response, error) {
			at = append(at, time.Since(start).Round(time.Second))
			ids[r.Header.Get("Webhook-Id")] = true
			return response(500), nil
		})})
		ctx, cancel := context.WithTimeout(t.Context(), 48*time.Hour)
		defer cancel()
		d.Run(ctx)
		var sum time.Duration
		for i, wait := range schedule {
			sum += wait
			if i >= len(at) || (at[i]-sum).Abs() > 10*time.Second { // a round a second adds up
				t.Fatalf("tries at %v, try %d should be at %s", at, i+1, sum)
			}
		}
		if len(at) != len(schedule) || len(ids) != 1 {
			t.Errorf("%d tries, ids %v", len(at), ids)
		}
		if got := q.history("msg_1"); !strings.HasSuffix(got, "|done false 500 answered 500") {
			t.Errorf("history %q", got)
		}
	})
}

func TestWhatTheReceiverAnswersDecides(t *testing.T) {
	for name, c := range map[string]struct {
		answer answer
		want   string
	}{
		"accepted":    {func(*http.Request) (*http.Response, error) { return response(204), nil }, "done true 204 "},
		"gone":        {func(*http.Request) (*http.Response, error) { return response(410), nil }, "done false 410 answered 410"},
		"redirect":    {func(*http.Request) (*http.Response, error) { return response(308, "Location", "http://10.0.0.1/"), nil }, "retry 308 answered 308, and redirects are not followed: set webhook_url to the final address"},
		"unreachable": {func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }, "retry 0 connection refused"},
		"silent": {func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, "retry 0 no answer within 15s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := queueOf(hello("https://receiver.example/?token=hush"))
				d := deliverer(t, q, Options{Transport: c.answer})
				if _, err := d.Deliver(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := q.history("msg_1"); got != c.want {
					t.Errorf("history %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestRetryAfterIsHeardWithinReason(t *testing.T) {
	for said, want := range map[string]time.Duration{"120": 2 * time.Minute, "1": 5 * time.Second, "9999999999999": time.Hour, "-5": 5 * time.Second, "soon": 5 * time.Second} {
		now := time.Unix(1_000_000, 0)
		q := queueOf(hello("https://receiver.example/"))
		d := deliverer(t, q, Options{Now: func() time.Time { return now }, Transport: answer(func(*http.Request) (*http.Response, error) {
			return response(429, "Retry-After", said), nil
		})})
		if _, err := d.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := q.jobs["msg_1"].at.Sub(now); got != want {
			t.Errorf("Retry-After %s: waits %s, want %s", said, got, want)
		}
	}
}

func TestAStopMidwayTellsTheQueueNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queueOf(hello("https://receiver.example/"))
		d := deliverer(t, q, Options{Transport: answer(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { d.Run(ctx); close(done) }()
		synctest.Wait() // the request hangs now
		cancel()
		<-done
		if got := q.history("msg_1"); got != "" {
			t.Errorf("history %q", got)
		}
	})
}

func TestRunGoesOnAfterAnOutageOfItsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queueOf()
		q.err = errors.New("redis is away")
		d := deliverer(t, q, Options{Transport: answer(func(*http.Request) (*http.Response, error) { return response(200), nil })})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { d.Run(ctx); close(done) }()
		<-time.After(5 * time.Second) // of the bubble's clock
		q.mu.Lock()
		q.err, q.jobs["msg_1"] = nil, &job{Delivery: hello("https://receiver.example/")}
		q.mu.Unlock()
		<-time.After(2 * time.Second)
		synctest.Wait()
		cancel()
		<-done
		if got := q.history("msg_1"); got != "done true 200 " {
			t.Errorf("history %q", got)
		}
	})
}

func TestPrivateAddressesAreNotReachedByNameEither(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the private server was reached")
	})}}
	server.Start()
	defer server.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	q := queueOf(hello("http://localhost:" + port + "/?token=hush"))
	if _, err := deliverer(t, q, Options{}).Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := q.history("msg_1"); !strings.HasPrefix(got, "retry 0 ") || !strings.Contains(got, "not a permitted destination") || strings.Contains(got, "hush") {
		t.Errorf("history %q", got)
	}
}

func TestCheckTakesPublicURLsAlone(t *testing.T) {
	allow := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd12::/16")}
	for _, url := range []string{"https://example.com/hook?x=1", "http://example.com:8080", "https://93.184.215.14/", "https://10.1.2.3/", "http://[fd12::1]/"} {
		if err := Check(url, allow); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{
		"", "example.com", "ftp://example.com", "https://", "https:///x", "https://user:hush@example.com/", "https://example.com/#x",
		"http://127.0.0.1/", "http://localhost/", "http://api.localhost./", "http://10.2.0.1/", "http://[::1]/", "http://[fe80::1]/", "http://[fd13::1]/",
		"http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/", "http://0.0.0.0/", "https://e.com/" + strings.Repeat("x", maxURL), "http://\x00/", "https://:443/",
	} {
		err := Check(url, allow)
		if execution.CodeOf(err) != execution.Invalid || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestASecretIsNeededAndNeverRepeated(t *testing.T) {
	if _, err := New(queueOf(), Options{}); err == nil || !strings.Contains(err.Error(), "WEBHOOK_SECRET") {
		t.Errorf("got %v", err)
	}
	if _, err := New(queueOf(), Options{Secret: "whsec_hush!"}); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}

func TestTheMessageSaysHowItEnded(t *testing.T) {
	code := 3
	r := &execution.Record{
		ID: "exec_1762548673499_vqx7d3cpo", Spec: execution.Spec{Engine: "agent", WebhookURL: "https://receiver.example/", Labels: map[string]string{"team": "a"}},
		CreatedAt: time.Unix(1, 0), StartedAt: time.Unix(2, 0), EndedAt: time.Unix(5, 500e6),
		Outcome: &execution.Outcome{Status: execution.Failed, Reason: execution.ReasonExitCode, ExitCode: &code, Attempt: 1},
	}
	d, err := For(r)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := For(r)
	if d.ID != again.ID || d.URL != "https://receiver.example/" || d.Attempt != 1 {
		t.Errorf("%+v", d)
	}
	var m struct {
		Type, Timestamp string
		Data            map[string]any
	}
	if err := json.Unmarshal(d.Body, &m); err != nil {
		t.Fatal(err)
	}
	if m.Type != "execution.failed" || m.Timestamp != "1970-01-01T00:00:05.500Z" || m.Data["exit_code"] != 3.0 || m.Data["duration_seconds"] != 3.5 || m.Data["name"] != "agent" {
		t.Errorf("%s", d.Body)
	}
	if _, err := For(&execution.Record{}); err == nil {
		t.Error("a message about an execution that has not ended")
	}
}
