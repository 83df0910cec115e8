package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestTracesThatAreOffCostNothing(t *testing.T) {
	traces, err := NewTraces(t.Context(), "x", "1", slog.New(slog.DiscardHandler))
	if traces != nil || err != nil {
		t.Fatalf("%v %v", traces, err)
	}
	ctx, r := t.Context(), httptest.NewRequest(http.MethodGet, "/", nil)
	if n := testing.AllocsPerRun(1000, func() {
		_, request := traces.Request(r, "/")
		Note(ctx, FieldExecution, "x")
		whole := traces.Attempt(ctx, Traceparent(ctx), time.Time{})
		step := whole.Child("run", time.Time{})
		step.Set(FieldStatus, "completed")
		step.SetInt(FieldAttempt, 1)
		if step.Parent() != "" {
			t.Error("a span from nowhere")
		}
		step.End("")
		request.Answered(200)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	traces.Close(ctx)
}

func TestOnlyTheStandardVariablesTurnTracesOn(t *testing.T) {
	for env, want := range map[string]bool{
		"":                                     false,
		"OTEL_EXPORTER_OTLP_ENDPOINT":          true,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":   true,
		"OTEL_EXPORTER_OTLP_ENDPOINT disabled": false,
		"OTEL_EXPORTER_OTLP_ENDPOINT none":     false,
	} {
		t.Run(env, func(t *testing.T) {
			name, how, _ := strings.Cut(env, " ")
			if name != "" {
				t.Setenv(name, "http://127.0.0.1:1")
			}
			switch how {
			case "disabled":
				t.Setenv("OTEL_SDK_DISABLED", "true")
			case "none":
				t.Setenv("OTEL_TRACES_EXPORTER", "none")
			}
			traces, err := NewTraces(t.Context(), "x", "1", slog.New(slog.DiscardHandler))
			if (traces != nil) != want || err != nil {
				t.Errorf("%v %v", traces, err)
			}
			traces.Close(t.Context())
		})
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if _, err := NewTraces(t.Context(), "x", "1", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "http/protobuf") {
		t.Errorf("%v", err)
	}
}

func TestACollectorThatHangsHoldsUpNobody(t *testing.T) {
	stuck := make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
	defer collector.Close()
	defer close(stuck)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	var log bytes.Buffer
	traces, err := NewTraces(t.Context(), "x", "1", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20_000 { // ten times what waits at most
			traces.Attempt(t.Context(), "", time.Now()).End("")
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("spans wait for the collector")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	traces.Close(ctx)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the end waits %v", took)
	}
}
