package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

func TestOutputOfAFinishedExecutionIsAsTheSeedReadsIt(t *testing.T) {
	w := newWorld(t)
	id := w.run("one\n", "two\n")
	out, _ := call[api.Output](w, 200, "GET", "/execute/output/"+string(id), "")
	if out.Output != "one\ntwo\n" || out.Status != execution.Completed || *out.ReturnCode != 0 || out.More || out.NextAfter != 5 {
		t.Errorf("output is %+v", out)
	}
	var chunk api.LogData
	if err := json.Unmarshal(out.Events[2].Data, &chunk); err != nil || chunk.Text != "one\n" || chunk.Stream != "stdout" {
		t.Errorf("chunk is %+v: %v", chunk, err)
	}
}

func TestPagesOfOutputJoinWithoutLossOrDoubling(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	var want strings.Builder
	for i := range 25 {
		text := fmt.Sprintf("line %d\n", i)
		want.WriteString(text)
		w.store.log(id, execution.Stdout, text)
		w.store.log(id, execution.Stderr, "noise\n")
	}
	for _, stream := range []string{"stdout", ""} {
		var got strings.Builder
		page := &api.Output{More: true}
		for page.More {
			*page, _ = call[api.Output](w, 200, "GET", fmt.Sprintf("/execute/output/%s?limit=7&after=%d&stream=%s", id, page.NextAfter, stream), "")
			got.WriteString(page.Output)
			if len(page.Events) > 7 {
				t.Fatalf("%d events on a page of 7", len(page.Events))
			}
		}
		text := got.String()
		if stream == "" {
			text = strings.ReplaceAll(text, "noise\n", "")
		}
		if text != want.String() {
			t.Errorf("stream %q: got %q", stream, text)
		}
	}
}

func TestAPageOfOutputIsBoundedInBytes(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	for range 12 {
		w.store.log(id, execution.Stdout, strings.Repeat("x", 1<<20))
	}
	out, _ := call[api.Output](w, 200, "GET", "/execute/output/"+string(id), "")
	if len(out.Output) > 5<<20 || !out.More {
		t.Errorf("a page of %d bytes, more: %v", len(out.Output), out.More)
	}
}

func TestTextIsTheExactBytesOfTheEngine(t *testing.T) {
	w := newWorld(t)
	exact := "a\x00b\xff\xfe\r\nhalf a character: \xc3"
	id := w.run(exact, "\xa4, and no newline at the end")
	for _, how := range [][]string{{"?format=text"}, {"", "Accept", "text/plain"}, {"?follow=true", "Accept", "text/plain, */*;q=0.1"}} {
		res := w.do("GET", "/execute/output/"+string(id)+how[0], "", how[1:]...)
		got, err := io.ReadAll(res.Body)
		if err != nil || string(got) != exact+"\xa4, and no newline at the end" {
			t.Errorf("%v: got %q, %v", how, got, err)
		}
	}
	out, _ := call[api.Output](w, 200, "GET", "/execute/output/"+string(id), "")
	if !strings.Contains(out.Output, "half a character: ä, and") {
		t.Errorf("JSON has %q: a character over two chunks must survive", out.Output)
	}
}

func TestAGapShowsInTheText(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	w.store.log(id, execution.Stdout, "begin")
	w.store.add(id, execution.GapEvent(4, 9, execution.GapNote{Reason: "over the budget"}))
	w.store.log(id, execution.Stdout, "end")
	got := string(readAll(t, w.do("GET", "/execute/output/"+string(id)+"?format=text&stream=stdout", "")))
	if got != "begin\n[longhaul: events 4 to 9 are gone: over the budget]\nend" {
		t.Errorf("text is %q", got)
	}
}

func TestTextAndNDJSONFollowUntilTheEnd(t *testing.T) {
	w := newWorld(t)
	for _, format := range []string{"text", "ndjson"} {
		id := w.begin()
		w.store.start(id)
		w.store.log(id, execution.Stdout, "early,")
		res := w.do("GET", "/execute/output/"+string(id)+"?follow=true&format="+format, "")
		body := inBackground(func() []byte { return readAll(t, res) })
		w.waitListeners(id, 1)
		w.store.log(id, execution.Stdout, "late")
		w.store.finish(id)
		got := <-body
		if format == "text" {
			if string(got) != "early,late" {
				t.Errorf("text is %q", got)
			}
			continue
		}
		var seqs []execution.Cursor
		for line := range bytes.Lines(got) {
			var e api.Event
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, e.Seq)
		}
		if fmt.Sprint(seqs) != "[1 2 3 4 5]" {
			t.Errorf("events are %v", seqs)
		}
	}
}

func TestALogThatCannotBeFinishedIsBrokenOff(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	w.store.log(id, execution.Stdout, "begin")
	res := w.do("GET", "/execute/output/"+string(id)+"?follow=true&format=text", "")
	w.waitListeners(id, 1)
	w.srv.Drain()
	if got, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("a part came as if it were the whole: %q", got)
	}
}

func TestOnlyAPartOfALargeLogIsInMemory(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.store.start(id)
	const n = 64
	for range n {
		w.store.log(id, execution.Stdout, strings.Repeat("x", 128<<10))
	}
	w.store.finish(id)
	before := w.store.reads
	res := w.do("GET", "/execute/output/"+string(id)+"?format=text", "")
	if size, err := io.Copy(io.Discard, res.Body); size != n*128<<10 || err != nil {
		t.Errorf("got %d bytes, %v", size, err)
	}
	if reads := w.store.reads - before; reads < n/2 {
		t.Errorf("%d reads for %d chunks: too much at once", reads, n)
	}
	if res.StatusCode != http.StatusOK {
		t.Error(res.StatusCode)
	}
}
