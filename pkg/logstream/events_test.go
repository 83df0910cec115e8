package logstream

import (
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/longhaul/longhaul/pkg/execution"
)

// pumpEvents gives what the lines of an engine become.
func pumpEvents(t *testing.T, r *Redactor, input string) []string {
	t.Helper()
	sink := newMemory()
	w := NewWriter(sink, lease, Options{Redactor: r})
	if err := w.PumpEvents(iotest.OneByteReader(strings.NewReader(input))); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sink.texts()
}

func TestAnEnginesEventsArePassedOnWithTheirDataExact(t *testing.T) {
	tests := []struct{ in, out string }{
		{`{"type":"progress","percent":42.5,"message":"half <way>"}`, `progress {"message":"half <way>","percent":42.5}`},
		{`{"type":"progress","percent":-1}`, `progress {"percent":0}`},
		{`{"type":"progress","percent":1e999}`, `progress {"percent":100}`},
		{` {"n":12345678901234567890,"type":"agent","deep":{"b":1,"a":[ 1 , 2 ]}} `, `agent {"deep":{"b":1,"a":[1,2]},"n":12345678901234567890}`},
		{`{"type":"artifact","name":"x.pdf"}`, `artifact {"name":"x.pdf"}`},
		{`{"type":"my.own_type-2"}`, `my.own_type-2 {}`},
		{`{"type":"note","text":"` + "\xff" + `"}`, "note {\"text\":\"\uFFFD\"}"},
		{`{"type":"note","text":"the-secret is {\"k\":\"the-secret\"}"}`, `note {"text":"*** is {\"k\":\"***\"}"}`},
	}
	r := NewRedactor([]string{"the-secret"})
	for _, test := range tests {
		for _, end := range []string{"\n", "", "\r\n\n"} {
			if got := pumpEvents(t, r, test.in+end); !reflect.DeepEqual(got, []string{test.out}) {
				t.Errorf("%s: %q, want %q", test.in, got, test.out)
			}
		}
	}
}

func TestAMistakeIsDroppedAndToldOncePerKind(t *testing.T) {
	for _, mistake := range []string{
		`{"type":"status","status":"completed"}`, `{"type":"end"}`, `{"type":"gap"}`, `{"type":"checkpoint","action":"saved"}`, `{"type":"log","text":"x"}`, `{"type":"metrics","cpu_percent":1}`,
		`plain text`, `[1]`, `null`, `"x"`, `{"type":"a"} {"type":"b"}`,
		`{}`, `{"type":7}`, `{"type":"Upper"}`, `{"type":""}`, `{"type":"` + strings.Repeat("a", 65) + `"}`,
		`{"type":"progress"}`, `{"type":"progress","percent":"7"}`, `{"type":"progress","percent":null}`,
		`{"type":"progress","percent":7,"message":{}}`,
		`{"type":"redact"}`, `{"type":"redact","value":7}`, `{"type":"redact","value":"tiny"}`,
		`{"type":"big","x":"` + strings.Repeat("y", maxEventLine) + `"}`,
	} {
		got := pumpEvents(t, NewRedactor(nil), mistake+"\n"+mistake+"\n"+`{"type":"after"}`)
		if len(got) != 2 || !strings.HasPrefix(got[0], `warning {"message":"events: `) || got[1] != "after {}" {
			t.Errorf("%.80s: %q", mistake, got)
		}
	}
}

func TestAValueToRedactIsNeverPassedOn(t *testing.T) {
	r := NewRedactor(nil)
	got := pumpEvents(t, r, `{"type":"redact","value":"found-late"}`+"\n"+`{"type":"note","text":"found-late"}`)
	if !reflect.DeepEqual(got, []string{`note {"text":"***"}`}) {
		t.Errorf("%q", got)
	}
	if got := pumpEvents(t, nil, `{"type":"redact","value":"found-late"}`); len(got) != 1 || !strings.Contains(got[0], "redaction is off") {
		t.Errorf("%q", got)
	}
}

func TestALineOfAnyLengthIsReadWhole(t *testing.T) {
	long := strings.Repeat("z", maxEventLine-30)
	sink := newMemory()
	w := NewWriter(sink, lease, Options{})
	in := `{"type":"big","x":"` + long + `"}` + "\n" + `{"type":"progress","percent":3}`
	if err := w.PumpEvents(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{`big {"x":"` + long + `"}`, `progress {"percent":3}`}
	if got := sink.texts(); !reflect.DeepEqual(got, want) {
		t.Errorf("%.100q", got)
	}
	if last := sink.batches[len(sink.batches)-1]; string(last.Progress) != `{"percent":3}` {
		t.Errorf("%+v", last)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"type":"progress","percent":1,"message":"x"}`))
	f.Add([]byte(`{"type":"redact","value":"\ud800"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, mistake := parseEvent(line)
		if mistake != "" || e.redact != "" {
			return
		}
		again, mistake := parseEvent(append([]byte(`{"type":"`+string(e.typ)+`"`), append([]byte(","), e.data[1:]...)...))
		if string(e.data) != "{}" && (mistake != "" || string(again.data) != string(e.data)) {
			t.Errorf("%q: %q became %q", line, e.data, again.data)
		}
		if strings.ContainsAny(string(e.data), "\r\n") || e.typ == execution.EventEnd {
			t.Errorf("%q: %q", line, e.data)
		}
	})
}
