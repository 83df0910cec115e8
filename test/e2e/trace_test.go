package e2e

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// span is what a collector was told of one.
type span struct {
	*tracepb.Span
	service string
}

func (s span) field(name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			return strings.Trim(strings.TrimPrefix(a.Value.String(), "string_value:"), `"`)
		}
	}
	return ""
}

// otlp is a collector: it takes OTLP over HTTP and keeps all spans by name.
type otlp struct {
	*httptest.Server
	mu    sync.Mutex // guards spans and raw
	spans map[string][]span
	raw   strings.Builder
}

func newCollector(t *testing.T) *otlp {
	t.Helper()
	c := &otlp{spans: map[string][]span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		data, err := io.ReadAll(body)
		var in collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(data, &in) != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Key") != "of-the-collector" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		c.take(&in)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *otlp) take(in *collector.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.WriteString(in.String())
	for _, resource := range in.ResourceSpans {
		service := ""
		for _, a := range resource.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans[s.Name] = append(c.spans[s.Name], span{s, service})
			}
		}
	}
}

// one waits for the one span of a name.
func (c *otlp) one(t *testing.T, name string) span {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		c.mu.Lock()
		found := c.spans[name]
		c.mu.Unlock()
		if len(found) > 1 {
			t.Fatalf("%d spans are called %s", len(found), name)
		}
		if len(found) == 1 {
			return found[0]
		}
	}
	t.Fatalf("no span is called %s", name)
	return span{}
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

func TestOneTraceLeadsFromTheRequestToTheEngine(t *testing.T) {
	c := newCollector(t)
	s := newSystem(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_EXPORTER_OTLP_HEADERS=X-Key=of-the-collector", "OTEL_BSP_SCHEDULE_DELAY=50")
	a := s.api()
	s.worker("OTEL_SERVICE_NAME=of-my-own")
	res, body := a.do("POST", "/execute/start", `{"command":"sh","args":["-c","echo $TRACEPARENT # an-argument-of-mine"]}`,
		"traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("%s %s", res.Status, body)
	}
	id := decode[api.Started](t, body).ID
	if e := a.wait(id); e.Status != execution.Completed {
		t.Fatalf("%+v", e)
	}

	request, attempt, run := c.one(t, "POST /execute/start"), c.one(t, "attempt"), c.one(t, "run")
	parent := map[string]string{
		"POST /execute/start": callersSpan, "attempt": hex.EncodeToString(request.SpanId),
		"claim": hex.EncodeToString(attempt.SpanId), "start": hex.EncodeToString(attempt.SpanId),
		"run": hex.EncodeToString(attempt.SpanId), "settle": hex.EncodeToString(attempt.SpanId),
	}
	for name, want := range parent {
		if got := c.one(t, name); hex.EncodeToString(got.TraceId) != callersTrace || hex.EncodeToString(got.ParentSpanId) != want {
			t.Errorf("%s is of %x, below %x: want %s below %s", name, got.TraceId, got.ParentSpanId, callersTrace, want)
		} else if got.EndTimeUnixNano < got.StartTimeUnixNano {
			t.Errorf("%s ends before it begins", name)
		}
	}
	if printed, want := a.text(id), "00-"+callersTrace+"-"+hex.EncodeToString(run.SpanId)+"-01\n"; printed != want {
		t.Errorf("the engine has %q, and its span is %q", printed, want)
	}
	if request.service != "longhaul-api" || attempt.service != "of-my-own" {
		t.Errorf("services %q and %q", request.service, attempt.service)
	}
	for name, got := range map[string]string{
		string(id): attempt.field("longhaul.execution.id"), "sh": attempt.field("longhaul.engine"), "completed": attempt.field("longhaul.status"), "default": attempt.field("messaging.destination.name"),
		"int_value:202": request.field("http.response.status_code"), "int_value:0": run.field("process.exit.code"), "int_value:1": attempt.field("longhaul.attempt"),
	} {
		if got != name {
			t.Errorf("a field is %q and not %q", got, name)
		}
	}
	if got := request.field("longhaul.execution.id"); got != string(id) {
		t.Errorf("the request's span is of %q", got)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{token, "an-argument-of-mine", "correct-horse"} {
		if strings.Contains(c.raw.String(), secret) {
			t.Errorf("a span tells %q", secret)
		}
	}
}

// A collector that is away costs an execution nothing, and the end of a process two seconds.
func TestACollectorThatIsAwayHoldsUpNothing(t *testing.T) {
	c := newCollector(t)
	c.Close()
	s := newSystem(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_BSP_SCHEDULE_DELAY=50")
	a, w := s.api(), s.worker()
	for range 3 {
		if e := a.wait(a.script("echo $TRACEPARENT")); e.Status != execution.Completed {
			t.Errorf("%+v", e)
		}
	}
	w.Stop(15 * time.Second)
	a.Stop(15 * time.Second)
	if lines := strings.Count(w.Log(), "traces are lost"); lines != 1 {
		t.Errorf("the worker tells of it %d times", lines)
	}
}

func TestWithoutTracesTheTraceIsMadeOfTheID(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	s.worker()
	_, body := a.do("POST", "/execute/start", `{"command":"sh","args":["-c","echo $TRACEPARENT"]}`, "traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
	id := decode[api.Started](t, body).ID
	a.wait(id)
	if got := a.text(id); !strings.HasPrefix(got, "00-") || strings.Contains(got, callersTrace) || len(got) != 56 {
		t.Errorf("%q", got)
	}
}
