package console

import (
	"encoding/json"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

// module is an expression for a module of the console, in the page that loaded it.
func module(name string) string {
	return `import(document.querySelector('script[src*="app.js"]').src.replace('app.js', '` + name + `'))`
}

func TestTheStreamLosesAndDoublesNothingOverARestartOfTheServer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.sh(`i=0; while [ $i -lt 200 ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done`)
	h.await(id, execution.Running)
	p := h.open("/console/queue")
	p.eval(`void ` + module("stream.js") + `.then(async ({stream}) => {
		window.seen = []; window.states = []
		for await (const e of stream('` + string(id) + `', {onState: s => states.push(s)})) seen.push(e)
		window.ended = true
	})`)
	p.wait(`seen.filter(e => e.type === 'log').length > 5`)
	h.api.Kill()
	p.wait(`states.includes('waiting')`)
	h.startAPI()
	p.wait(`window.ended`)
	if gap := p.eval(`seen.findIndex((e, i) => e.seq !== i + 1)`); gap != "-1" {
		t.Errorf("event %s does not follow the one before it: %s", gap, p.eval(`seen.map(e => e.seq).join()`))
	}
	if text := p.eval(`seen.filter(e => e.type === 'log').map(e => e.data.text).join('')`); text != h.output(id) || len(text) < 1000 {
		t.Errorf("%d bytes were read, and %d written", len(text), len(h.output(id)))
	}
	if last := p.eval(`seen.at(-1).type`); last != "end" {
		t.Errorf("the last event is %s", last)
	}
	// A cursor behind the end has nothing more, and what does not exist is said.
	if n := eval[string](p, `(async () => { let n = 0; for await (const e of (await `+module("stream.js")+`).stream('`+string(id)+`', {after: seen.at(-1).seq})) n++; return String(n) })()`); n != "0" {
		t.Errorf("after the end come %s events", n)
	}
	refused := eval[string](p, `(async () => { try { for await (const e of (await `+module("stream.js")+`).stream('exec_1_no')); } catch (err) { return err.status + ' ' + err.message } })()`)
	if len(refused) < 10 || (refused[:3] != "404" && refused[:3] != "422") {
		t.Errorf("an execution that does not exist: %s", refused)
	}
}

func TestBarsThatOverlapLieInLanesOfTheirOwn(t *testing.T) {
	h := newHouse(t)
	p := h.open("/console/queue")
	p.eval(`void ` + module("lanes.js") + `.then(m => { window.lanes = m })`)
	p.wait("window.lanes")
	at := func(s string) string { return `"2026-01-01T00:00:` + s + `Z"` }
	executions := `[
		{execution_id: 'a', status: 'completed', worker: 'w1', created_at: ` + at("00") + `, started_at: ` + at("01") + `, completed_at: ` + at("10") + `},
		{execution_id: 'b', status: 'failed', worker: 'w1', created_at: ` + at("00") + `, started_at: ` + at("05") + `, completed_at: ` + at("12") + `},
		{execution_id: 'c', status: 'running', worker: 'w1', created_at: ` + at("09") + `, started_at: ` + at("10") + `, completed_at: null},
		{execution_id: 'd', status: 'queued', worker: null, created_at: ` + at("11") + `, started_at: null, completed_at: null},
		{execution_id: 'e', status: 'queued', worker: 'w1', created_at: ` + at("02") + `, started_at: ` + at("03") + `, completed_at: null},
		{execution_id: 'f', status: 'cancelled', worker: null, created_at: ` + at("03") + `, started_at: null, completed_at: ` + at("04") + `}]`
	type row struct {
		Name  string
		Lanes int
		Bars  map[string][3]float64 // lane, from and to in seconds
	}
	got := eval[[]row](p, `(() => { const zero = Date.parse(`+at("00")+`)
		return lanes.rowsOf(`+executions+`, zero + 20000).map(r => ({Name: r.name, Lanes: r.lanes,
			Bars: Object.fromEntries(r.bars.map(b => [b.execution.execution_id, [b.lane, (b.from - zero) / 1000, (b.to - zero) / 1000]]))})) })()`)
	want := []row{
		{"", 2, map[string][3]float64{"e": {0, 2, 20}, "f": {1, 3, 4}, "d": {1, 11, 20}}},
		{"w1", 2, map[string][3]float64{"a": {0, 1, 10}, "b": {1, 5, 12}, "c": {0, 10, 20}}},
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("rows are %s\nnot      %s", a, b)
	}
	if n := p.eval(`[10e3, 60e3, 3600e3, 86400e3, 30 * 86400e3].map(s => lanes.ticksOf(0, s, 1000).ticks.length).filter(n => n < 3 || n > 12).length`); n != "0" {
		t.Errorf("some spans have too few or too many marks")
	}
}
