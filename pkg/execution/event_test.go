package execution

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestACursorIsAWholeNumberFromZeroUp(t *testing.T) {
	for s, want := range map[string]Cursor{"": 0, "0": 0, "7": 7, "007": 7, "9007199254740991": maxCursor} {
		if got, err := ParseCursor(s); got != want || err != nil {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"-1", "+1", "1.0", " 1", "1e3", "0x1", "9007199254740992", "99999999999999999999", "1-0", "１"} {
		if got, err := ParseCursor(s); got != 0 || CodeOf(err) != Invalid {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("17")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil {
			return
		}
		if again, err := ParseCursor(c.String()); again != c || err != nil {
			t.Errorf("%q: %d became %d, %v", s, c, again, err)
		}
	})
}

func TestAnEventsJSONIsOneObjectOnOneLine(t *testing.T) {
	when := time.Date(2026, 11, 21, 10, 0, 0, 5e6, time.FixedZone("", 3600))
	for _, test := range []struct {
		event Event
		want  string
	}{
		{
			Event{Type: EventLog, Stream: Stdout, Attempt: 1, Time: when, Bytes: []byte("a \"line\"\n")},
			`{"stream":"stdout","text":"a \"line\"\n","attempt":1,"time":"2026-11-21T09:00:00.005Z"}`,
		},
		{
			Event{Type: EventLog, Stream: Stderr, Time: when, Bytes: []byte("\xff\n")},
			`{"stream":"stderr","base64":"/wo=","time":"2026-11-21T09:00:00.005Z"}`,
		},
		{Event{Type: EventProgress, Data: []byte(`{"percent":12345678901234567890}`)}, `{"percent":12345678901234567890}`},
		{Event{Type: "own"}, `{}`},
		{GapEvent(3, 9, GapNote{Reason: "retention"}), `{"from":3,"to":9,"reason":"retention"}`},
	} {
		if got := test.event.JSON(); string(got) != test.want {
			t.Errorf("%s; want %s", got, test.want)
		}
	}
}

func FuzzLogJSONKeepsEveryByte(f *testing.F) {
	f.Add([]byte("text\r\n"))
	f.Add([]byte("\xe2\x82"))
	f.Add([]byte("\u2028</script>"))
	f.Add([]byte("\x00\x1f\x7f\t\"\\ü"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := Event{Type: EventLog, Stream: Stdout, Time: at, Bytes: b}
		data := e.JSON()
		var got struct {
			Text   string
			Base64 []byte
		}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got.Text+string(got.Base64) != string(b) || strings.ContainsAny(string(data), "\r\n") {
			t.Errorf("%q became %s", b, data)
		}
	})
}

func TestAGapTakesTheNumberOfTheLastEventThatIsMissing(t *testing.T) {
	if e := GapEvent(3, 9, GapNote{Reason: "retention"}); e.Seq != 9 || e.Type != EventGap || e.Stream != NoStream {
		t.Errorf("%+v", e)
	}
}

func TestStreamsHaveNames(t *testing.T) {
	for s, want := range map[Stream]string{NoStream: "", Stdout: "stdout", Stderr: "stderr", 9: ""} {
		if got := s.String(); got != want {
			t.Errorf("%d: %q", s, got)
		}
	}
}

// BenchmarkLogJSON is the encoding against that of encoding/json, per 64 KiB of output.
func BenchmarkLogJSON(b *testing.B) {
	e := Event{Type: EventLog, Stream: Stdout, Attempt: 1, Time: at, Bytes: []byte(strings.Repeat("2026-11-22 step \"7\" of the analysis is done: ok\n", 64<<10/48))}
	for name, encode := range map[string]func(){
		"by hand": func() { _ = e.JSON() },
		"encoding/json": func() {
			_, _ = json.Marshal(struct {
				Stream  string `json:"stream"`
				Text    string `json:"text"`
				Attempt int    `json:"attempt"`
				Time    string `json:"time"`
			}{e.Stream.String(), string(e.Bytes), e.Attempt, e.Time.UTC().Format(TimeFormat)})
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(e.Bytes)))
			b.ReportAllocs()
			for b.Loop() {
				encode()
			}
		})
	}
}
