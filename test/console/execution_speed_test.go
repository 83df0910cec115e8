package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// floods writes so many lines with colours, as fast as it can.
const floods = `
import sys
lines = [f"\x1b[32m2026-11-22T09:{i // 60 % 60:02d}:{i % 60:02d}Z\x1b[0m agent-{i % 7} step {i} {'lorem ipsum dolor ' * (1 + i % 6)}" + ("\x1b[31mERROR boom\x1b[0m" if i % 97 == 0 else "") for i in range(int(sys.argv[1]))]
sys.stdout.write("\n".join(lines) + "\n")
`

// The bounds are wide, since machines differ and others work on them: what counts is
// in the log of the test.
func TestALogOfAHundredThousandLinesOpensAndScrolls(t *testing.T) {
	h := newHouse(t)
	const n = 100_000
	id := h.python(floods, fmt.Sprint(n))
	h.await(id, execution.Completed)
	p := h.openExecution(id, "")
	last := fmt.Sprintf(`[...document.querySelectorAll('.log .block:last-child .l')].at(-1)?.textContent.includes('step %d ')`, n-1)
	p.wait(last)
	shown := eval[float64](p, `performance.now()`)
	p.wait(fmt.Sprintf(`document.querySelectorAll('.log .l').length === %d`, n)) // in the pauses after that
	all := eval[float64](p, `performance.now()`)
	frames := eval[[]float64](p, `(async () => {
		const log = document.querySelector('.log'), frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done))), took = []
		for (let i = 0, at = performance.now(); i < 60; i++) {
			log.scrollTop = (log.scrollHeight - log.clientHeight) * ((i * 37) % 60) / 60
			await frame()
			took.push(performance.now() - at); at = performance.now()
		}
		return took.sort((a, b) => a - b)
	})()`)
	t.Logf("%d lines: the last one shown %.2f s after the page was asked for, all of them there after %.2f s; a jump to anywhere takes a frame of %.0f ms (median), %.0f ms (95 of 100)",
		n, shown/1000, all/1000, frames[30], frames[57])
	if shown > 20_000 || frames[30] > 500 {
		t.Error("that is far too slow")
	}
	p.fill(".search input", "boom")
	p.wait(fmt.Sprintf(`document.querySelector('.hits')?.textContent.includes('of %s')`, "1,031"))
}

// ticks writes lines at a steady pace and, at the end, how many and their checksum,
// which it keeps as the result.
const ticks = `
import hashlib, json, os, sys, time
rate, seconds = int(sys.argv[1]), int(sys.argv[2])
sum, begin = hashlib.sha256(), time.time()
for i in range(rate * seconds):
    line = f"line {i}: {i * 7919 % 10007} é{'x' * (i % 50)}\n"
    sum.update(line.encode())
    sys.stdout.write(f"\x1b[3{i % 7 + 1}m" + line[:-1] + "\x1b[0m\n")
    if i % 20 == 19:
        sys.stdout.flush()
        time.sleep(max(0, begin + i / rate - time.time()))
json.dump({"lines": rate * seconds, "sum": sum.hexdigest()}, open(os.environ["EXECUTION_RESULT_FILE"], "w"))
`

func TestALiveTailLosesAndDoublesNoLine(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const rate = 1000
	seconds := 10
	if os.Getenv("LONGHAUL_LONG") != "" {
		seconds = 60
	}
	id := h.python(ticks, fmt.Sprint(rate), fmt.Sprint(seconds))
	p := h.openExecution(id, "")
	p.wait(fmt.Sprintf(`document.querySelectorAll('.log .l').length > %d`, rate*seconds/4))
	early := p.heap()
	deadline := time.After(time.Duration(seconds)*time.Second + pageTimeout)
	for !eval[bool](p, `!!document.querySelector('.end')`) {
		select {
		case <-deadline:
			t.Fatal("it did not end")
		case <-time.After(200 * time.Millisecond):
		}
	}
	p.lines(rate * seconds)
	text := eval[string](p, `[...document.querySelectorAll('.log .l')].map(l => l.textContent + '\n').join('')`)
	sum := sha256.Sum256([]byte(text))
	e, err := h.client.Output(t.Context(), id, client.OutputQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d lines at %d a second, each once; heap of the page %.0f MB after a quarter, %.0f MB at the end", strings.Count(text, "\n"), rate, early, p.heap())
	if want := hex.EncodeToString(sum[:]); !strings.Contains(string(e.Result), want) {
		t.Errorf("the page has other lines than were written: %s, not %s", want, e.Result)
	}
}

// heap is what the page's JavaScript holds, in MB, without what nobody refers to.
func (p *tab) heap() float64 {
	p.t.Helper()
	var used float64
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			return err
		}
		usage, err := cdp.Call(ctx, t, runtime.GetHeapUsage, cdp.Empty{})
		used = usage.UsedSize / 1e6
		return err
	}))
	return used
}

// A log beyond the cap, here a small one: memory stays as it is, and what was let go
// can be read again, as it was.
func TestOldLinesAreLetGoAndComeBack(t *testing.T) {
	h := newHouse(t)
	id := h.python(floods, "60000")
	h.await(id, execution.Completed)
	p := h.open("/console")
	p.eval(`(async () => {
		const at = name => document.querySelector('script[type=module]').src.replace('app.js', name)
		const [{ LogView }, { stream }, { get }] = await Promise.all(['logview.js', 'stream.js', 'api.js'].map(name => import(at(name))))
		const list = document.createElement('div')
		list.className = 'log'
		list.style.height = '500px'
		document.querySelector('main').prepend(list)
		window.view = new LogView(list, { read: after => get('/execute/output/` + string(id) + `?limit=1000&after=' + after), keep: 4000 })
		const events = stream('` + string(id) + `')
		window.readTo = async n => { while (view.lines < n) view.push((await events.next()).value) }
		await readTo(10000)
	})()`)
	p.wait(`[...document.querySelectorAll('.log .l')].at(-1)?.dataset.n >= 10000`)
	early := p.heap()
	p.eval(`readTo(60000)`)
	p.wait(`view.lines === 60000 && [...document.querySelectorAll('.log .l')].at(-1).textContent.includes('step 59999 ')`)
	late := p.heap()
	t.Logf("heap after 10,000 lines %.1f MB, after 60,000 lines %.1f MB", early, late)
	if late > early+15 {
		t.Error("it grows with the log")
	}
	if rows := eval[int](p, `document.querySelectorAll('.log .l').length`); rows > 4200 {
		t.Errorf("%d lines are kept", rows)
	}
	p.wait(`document.querySelector('.hole').textContent.startsWith('56,000 lines before this one')`)
	p.clickText("Load the last 10,000 again")
	p.wait(`document.querySelector('.log .l').dataset.n === '46001' && document.querySelector('.hole').textContent.startsWith('46,000 lines')`)
	p.wait(`document.querySelector('.log .l').textContent.includes('step 46000 ')`)
	p.eval(`view.goto(1234)`)
	p.wait(`document.querySelector('.log .at')?.textContent.includes('step 1233 ')`)
	if holes := eval[int](p, `document.querySelectorAll('.hole').length`); holes != 2 {
		t.Errorf("%d notes of what was let go, before and after line 1234", holes)
	}
	if wrong := p.eval(`[...document.querySelectorAll('.log .l')].find(l => !l.textContent.includes('step ' + (l.dataset.n - 1) + ' '))?.textContent`); wrong != "undefined" {
		t.Errorf("a line has the wrong number: %s", wrong)
	}
}
