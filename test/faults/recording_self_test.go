package faults

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/faults/lines"
)

// example is a faultless stream of one execution.
func example() []api.Event {
	data := func(v any) json.RawMessage { b, _ := json.Marshal(v); return b }
	status := func(s execution.Status) json.RawMessage { return data(map[string]any{"status": s}) }
	all := []api.Event{{Type: execution.EventStatus, Data: status("queued")}, {Type: execution.EventStatus, Data: status("running")}}
	for n := 1; n <= 4; n++ {
		text := string(lines.Append(nil, 'o', 1, n, 50))
		all = append(all, api.Event{Type: execution.EventLog, Data: data(api.LogData{Stream: "stdout", Text: text, Attempt: 1})})
	}
	all = append(all, api.Event{Type: execution.EventEnd, Data: status("completed")})
	for i := range all {
		all[i].Seq = execution.Cursor(i + 1)
	}
	return all
}

func recorded(events []api.Event) *recording {
	r := newRecording("test", 0)
	for _, e := range events {
		r.take(e)
	}
	return r
}

// A checker that finds nothing proves nothing: each kind of harm must be seen.
func TestTheCheckerSeesWhatIsWrong(t *testing.T) {
	whole := recorded(example())
	if p := recorded(example()).agrees(whole); len(p) > 0 {
		t.Fatalf("a faultless stream: %v", p)
	}
	gap := func(from, to execution.Cursor) api.Event {
		e := execution.GapEvent(from, to, execution.GapNote{Reason: "budget"})
		a := api.EventOf(&e)
		return a
	}
	for name, c := range map[string]struct {
		harm func([]api.Event) []api.Event
		want string
	}{
		"an event is lost":      {func(e []api.Event) []api.Event { return slices.Delete(e, 3, 4) }, "follows event"},
		"an event comes twice":  {func(e []api.Event) []api.Event { return slices.Insert(e, 3, e[2]) }, "follows event"},
		"two change places":     {func(e []api.Event) []api.Event { e[3], e[4] = e[4], e[3]; return e }, "follows event"},
		"bytes are lost":        {func(e []api.Event) []api.Event { e[3].Data = e[2].Data; return e }, "line 1 follows line 1"},
		"a byte is changed":     {func(e []api.Event) []api.Event { e[3].Data = bytesReplace(e[3].Data, "xx", "xy"); return e }, "checksum"},
		"there is no end":       {func(e []api.Event) []api.Event { return e[:6] }, "no end event"},
		"something follows it":  {func(e []api.Event) []api.Event { a := e[6]; a.Seq = 8; return append(e, a) }, "after the end"},
		"an impossible status":  {func(e []api.Event) []api.Event { e[0].Data = e[6].Data; return e }, "says completed"},
		"another end":           {func(e []api.Event) []api.Event { e[6].Data = bytesReplace(e[6].Data, "completed", "failed"); return e }, "it ended with"},
		"a gap that is too big": {func(e []api.Event) []api.Event { return slices.Replace(e, 3, 4, gap(3, 4)) }, "gap"},
		"a gap is just a gap":   {func(e []api.Event) []api.Event { return slices.Replace(e, 3, 5, gap(4, 5)) }, ""},
	} {
		r := recorded(c.harm(example()))
		got := strings.Join(r.agrees(whole), "; ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	r := recorded(slices.Replace(example(), 3, 5, gap(4, 5)))
	if _, skipped := r.totals(); skipped != 2 {
		t.Errorf("a gap of two lines counts %d", skipped)
	}
}

func bytesReplace(b []byte, from, to string) json.RawMessage {
	return json.RawMessage(strings.Replace(string(b), from, to, 1))
}
