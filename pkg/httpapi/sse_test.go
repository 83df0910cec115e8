package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

func ExampleEncodeSSE() {
	frame, _ := httpapi.EncodeSSE(&execution.Event{
		Seq: 7, Type: execution.EventLog, Stream: execution.Stdout, Attempt: 1, Bytes: []byte("two\nlines"),
		Time: time.Date(2025, 1, 7, 19, 11, 15, 1e6, time.UTC),
	})
	fmt.Printf("%q", frame)
	// Output: "id: 7\nevent: log\ndata: {\"stream\":\"stdout\",\"text\":\"two\\nlines\",\"attempt\":1,\"time\":\"2025-01-07T19:11:15.001Z\"}\n\n"
}

// Whatever an engine sends, a frame is three lines and a blank one, and its data
// says what was sent.
func FuzzEncodeSSE(f *testing.F) {
	f.Add("log", []byte("hello\nworld"), true)
	f.Add("log", []byte("\xff\xfe"), true)
	f.Add("metrics", []byte("{\n \"a\": 1\r\n}"), false)
	f.Add("a\nid: 9\n\nevent: end", []byte("{}"), false)
	f.Add("", []byte("not\njson"), false)
	f.Fuzz(func(t *testing.T, typ string, payload []byte, chunk bool) {
		e := &execution.Event{Seq: 3, Type: execution.EventType(typ), Time: time.Unix(0, 0)}
		if chunk {
			e.Type, e.Stream, e.Bytes = execution.EventLog, execution.Stdout, payload
		} else {
			e.Data = payload
		}
		frame, err := httpapi.EncodeSSE(e)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(frame, "\r") || !bytes.HasSuffix(frame, []byte("\n\n")) || bytes.Count(frame, []byte("\n")) != 4 {
			t.Fatalf("frame is %q", frame)
		}
		lines := strings.Split(string(frame), "\n")
		if lines[0] != "id: 3" || !strings.HasPrefix(lines[1], "event: ") || !strings.HasPrefix(lines[2], "data: ") {
			t.Fatalf("frame is %q", frame)
		}
		if !chunk {
			return
		}
		var d struct {
			Text   string `json:"text"`
			Base64 []byte `json:"base64"`
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[2], "data: ")), &d); err != nil {
			t.Fatal(err)
		}
		if got := append([]byte(d.Text), d.Base64...); !bytes.Equal(got, payload) {
			t.Fatalf("%q became %q", payload, got)
		}
	})
}
