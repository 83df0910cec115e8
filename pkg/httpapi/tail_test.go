package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

func (w *world) text(id execution.ID, query string) string {
	w.t.Helper()
	res := w.do("GET", "/execute/output/"+string(id)+"?format=text&"+query, "")
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func TestATailIsTheLastLinesWhereverChunksEnd(t *testing.T) {
	w := newWorld(t)
	for _, chunks := range [][]string{
		{"one\ntwo\nthree\n"},
		{"one\ntwo\nthree"},
		{"one\n", "two\n", "three\n"},
		{"on", "e\ntw", "o\nthr", "ee"},
		{"one", "\n", "two", "\n", "three", "\n"},
		{"\n\n\n"},
		{"\n"},
		{""},
		{},
		{"no end"},
		{"", "one\n", "", "two\n", ""},
	} {
		id := w.run(chunks...)
		all := strings.SplitAfter(strings.Join(chunks, ""), "\n")
		if all[len(all)-1] == "" {
			all = all[:len(all)-1]
		}
		for n := 1; n < 5; n++ {
			want := strings.Join(all[max(0, len(all)-n):], "")
			if got := w.text(id, fmt.Sprint("tail=", n)); got != want {
				t.Errorf("%q, the last %d: %q, want %q", chunks, n, got, want)
			}
			page, err := w.client().Output(t.Context(), id, client.OutputQuery{Tail: n})
			if err != nil || page.Output != want {
				t.Errorf("%q, the last %d as JSON: %q, %v", chunks, n, page.Output, err)
			}
			if got, next := w.streamed(id, client.StreamQuery{Tail: n}); got != want || next != w.store.recs[id].Last {
				t.Errorf("%q, the last %d as a stream: %q up to %d", chunks, n, got, next)
			}
		}
	}
}

// streamed is the output in a stream, and the number of its last event.
func (w *world) streamed(id execution.ID, q client.StreamQuery) (text string, last execution.Cursor) {
	w.t.Helper()
	for e, err := range w.client().Follow(w.t.Context(), id, q) {
		if err != nil {
			w.t.Fatal(err)
		}
		var chunk api.LogData
		if e.Type == execution.EventLog && json.Unmarshal(e.Data, &chunk) == nil {
			text += string(chunk.Bytes())
		}
		last = e.Seq
	}
	return text, last
}

func TestATailOfOneStreamCountsItsLinesAlone(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	for i := range 5 {
		w.store.log(id, execution.Stdout, fmt.Sprintf("out %d\n", i))
		w.store.log(id, execution.Stderr, fmt.Sprintf("err %d\n", i))
	}
	w.store.finish(id)
	if got := w.text(id, "tail=2&stream=stdout"); got != "out 3\nout 4\n" {
		t.Errorf("%q", got)
	}
	if got := w.text(id, "tail=3&after=10"); got != "out 4\nerr 4\n" { // both bounds hold
		t.Errorf("%q", got)
	}
}

func TestATailOfALongLogReadsOnlyItsEnd(t *testing.T) {
	w := newWorld(t)
	chunk := strings.Repeat("x", 99<<10) + "\n"
	var chunks []string
	for range 100 {
		chunks = append(chunks, chunk)
	}
	id := w.run(chunks...)
	w.store.reads = 0
	if got := w.text(id, "tail=3"); got != chunk+chunk+chunk {
		t.Errorf("%d bytes", len(got))
	}
	if w.store.reads > 6 {
		t.Errorf("%d reads for three lines of a hundred", w.store.reads)
	}
	// Where no line ends, it does not go back for ever.
	for i := range chunks {
		chunks[i] = strings.Repeat("y", 300<<10)
	}
	if got := len(w.text(w.run(chunks...), "tail=1")); got < 16<<20 || got > 17<<20 {
		t.Errorf("%d bytes of a line without an end", got)
	}
}

func TestATailBeginsOnceOverReconnects(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.ResponseLimit = 50 * time.Millisecond })
	id := w.begin()
	w.store.start(id)
	w.store.log(id, execution.Stdout, "one\ntwo\nthree\n")
	go func() {
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for i := range 5 {
			<-tick.C
			w.store.log(id, execution.Stdout, fmt.Sprintf("late %d\n", i))
		}
		w.store.finish(id)
	}()
	if got, _ := w.streamed(id, client.StreamQuery{Tail: 1}); got != "three\nlate 0\nlate 1\nlate 2\nlate 3\nlate 4\n" {
		t.Errorf("%q", got)
	}
	// EventSource comes back to the same address: what it has seen beats the tail.
	res := w.do("GET", "/execute/stream/"+string(id)+"?tail=5", "", "Last-Event-ID", "7")
	if text := string(readAll(t, res)); strings.Contains(text, "late 3") || !strings.Contains(text, "late 4") {
		t.Errorf("%s", text)
	}
}

func TestOnlyTheTypesThatAreAskedFor(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	w.store.log(id, execution.Stdout, "x\n")
	w.store.add(id, execution.Event{Type: execution.EventMetrics, Data: json.RawMessage(`{"processes":1}`)})
	w.store.add(id, execution.Event{Type: execution.EventProgress, Data: json.RawMessage(`{"percent":1}`)})
	w.store.finish(id)
	kinds := []execution.EventType{execution.EventMetrics, execution.EventProgress}
	page, err := w.client().Output(t.Context(), id, client.OutputQuery{Types: kinds, Limit: 1})
	if err != nil || len(page.Events) != 1 || page.Events[0].Type != execution.EventMetrics || page.NextAfter != 4 || !page.More {
		t.Errorf("%+v, %v", page, err)
	}
	for _, query := range []string{"types=progress,metrics", "events=progress,+metrics"} {
		text := string(readAll(t, w.do("GET", "/execute/stream/"+string(id)+"?"+query, "")))
		if strings.Contains(text, "event: log") || !strings.Contains(text, "id: 4\nevent: metrics") || !strings.Contains(text, "id: 5\nevent: progress") || !strings.Contains(text, "event: end") {
			t.Errorf("%s: %s", query, text)
		}
	}
}

func TestTheTextCanBeCutByTimeStampedAndSaved(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	noon := time.Now().Add(time.Hour).UTC().Truncate(time.Hour)
	for i, text := range []string{"a\nb", "c\n", "d\n", "e"} {
		w.store.add(id, execution.Event{Type: execution.EventLog, Stream: execution.Stdout, Time: noon.Add(time.Duration(i) * time.Second), Bytes: []byte(text)})
	}
	at := func(s int) string { return noon.Add(time.Duration(s) * time.Second).Format(execution.TimeFormat) }
	for query, want := range map[string]string{
		"timestamps=true":                 at(0) + " a\n" + at(0) + " bc\n" + at(2) + " d\n" + at(3) + " e",
		"since=" + at(2):                  "d\ne",
		"since=" + at(0):                  "a\nbc\nd\ne",
		"since=" + at(9):                  "",
		"since=" + at(1) + "&tail=1":      "e",
		"tail=2&timestamps=true":          at(2) + " d\n" + at(3) + " e",
		"tail=9&since=" + at(2):           "d\ne",
		"types=progress":                  "",
		"after=4&since=2000-01-01T00:00Z": "",
	} {
		if strings.Contains(query, "00:00Z") {
			w.problem(http.StatusUnprocessableEntity, "GET", "/execute/output/"+string(id)+"?"+query, "")
			continue
		}
		if got := w.text(id, query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for format, name := range map[string]string{"text": ".log", "ndjson": ".ndjson", "json": ".json"} {
		res := w.do("GET", "/execute/output/"+string(id)+"?download=true&format="+format, "")
		_ = readAll(t, res)
		if got := res.Header.Get("Content-Disposition"); got != "attachment; filename="+string(id)+name {
			t.Errorf("%s is saved as %q", format, got)
		}
	}
	var b strings.Builder
	if _, err := w.client().OutputText(t.Context(), id, &b, client.TextQuery{Tail: 1, Times: true, Since: noon}); err != nil || b.String() != at(3)+" e" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if res := w.do("GET", "/execute/output/"+string(id)+"?format=text", ""); res.Header.Get("Content-Disposition") != "" {
		t.Error("nobody asked for a file")
	} else if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Error(err)
	}
}
