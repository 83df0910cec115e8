package logstream

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestAValueIsRedactedInWhatTheEnginePrintsNext(t *testing.T) {
	stdout, engineOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	events, engineEvents, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	sink := newMemory()
	w := NewWriter(sink, lease, Options{Redactor: NewRedactor(nil)})
	w.Events(events)
	wait := start(t.Context(), w)
	var pumps sync.WaitGroup
	pumps.Go(func() {
		if err := w.Pump(execution.Stdout, stdout); err != nil {
			t.Error(err)
		}
	})
	pumps.Go(func() {
		if err := w.PumpEvents(events); err != nil {
			t.Error(err)
		}
	})
	const rounds = 500
	for i := range rounds { // as an engine would: two pipes, one after the other
		fmt.Fprintf(engineEvents, `{"type":"redact","value":"secret-%d-value"}`+"\n"+`{"type":"n%d"}`+"\n", i, i)
		fmt.Fprintf(engineOut, "it is secret-%d-value\n", i)
	}
	_ = engineEvents.Close()
	_ = engineOut.Close()
	pumps.Wait()
	w.Close()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if got := sink.log(execution.Stdout); got != strings.Repeat("it is ***\n", rounds) {
		t.Errorf("%d of %d are masked", strings.Count(got, Mask), rounds)
	}
	seen, lines := 0, 0 // what was sent first is stored first
	for _, e := range sink.all() {
		if e.Stream == execution.NoStream {
			seen++
		} else if lines += strings.Count(string(e.Bytes), "\n"); lines > seen {
			t.Fatalf("line %d comes before its event", lines)
		}
	}
	_ = stdout.Close()
	_ = events.Close()
}

func TestPumpsGoOnWhenTheEventPipeEndsOrBreaks(t *testing.T) {
	for name, end := range map[string]func(events, engine *os.File){
		"ends":   func(_, engine *os.File) { _ = engine.Close() },
		"breaks": func(events, _ *os.File) { _ = events.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			events, engine, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			sink := newMemory()
			w := NewWriter(sink, lease, Options{})
			done := make(chan error, 1)
			go func() { done <- w.PumpEvents(events) }()
			_, _ = engine.WriteString(`{"type":"half`)
			end(events, engine)
			if err := w.Pump(execution.Stdout, strings.NewReader("on\n")); err != nil {
				t.Error(err)
			}
			if err := <-done; (err != nil) != (name == "breaks") {
				t.Errorf("PumpEvents: %v", err)
			}
			w.Close()
			if err := w.Run(t.Context()); err != nil {
				t.Error(err)
			}
			if got := sink.log(execution.Stdout); got != "on\n" {
				t.Errorf("%q", got)
			}
			_ = events.Close()
			_ = engine.Close()
		})
	}
}
