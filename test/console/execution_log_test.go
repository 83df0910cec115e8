package console

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// python starts a program of Python.
func (h *house) python(program string, args ...string) execution.ID {
	h.T.Helper()
	return h.run(api.StartRequest{Command: "sh", Args: append([]string{"-c", `exec python3 -c "$0" "$@"`, program}, args...)})
}

// openExecution opens the page of an execution. query begins with ? or #, or is empty.
func (h *house) openExecution(id execution.ID, query string) *tab {
	h.T.Helper()
	p := h.open("/console/executions/" + string(id) + query)
	p.wait(`document.querySelector('.log')`)
	return p
}

// lines waits until the log on the page has so many lines.
func (p *tab) lines(n int) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.querySelectorAll('.log .l').length === %d`, n))
}

// shows waits until the lines that can be seen, joined with |, are these.
func (p *tab) shows(want string) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`[...document.querySelectorAll('.log .l')].filter(l => !l.hidden).map(l => l.textContent).join('|') === %q`, want))
}

// touch makes a file that a program waits for.
func touch(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fetch reads an address with the token.
func (h *house) fetch(url string) string {
	h.T.Helper()
	req, err := http.NewRequestWithContext(h.T.Context(), http.MethodGet, url, nil)
	if err != nil {
		h.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.T.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.T.Fatal(err)
	}
	return string(b)
}

// colourful writes what terminals understand, in writes that end inside of a
// character and inside of an escape sequence.
const colourful = `
import os, time
out = "\x1b[1;31mred\x1b[0m \x1b[38;5;208morange\x1b[0m \x1b[38;2;10;200;30mgreen\x1b[39m plain é日本😀\n<img src=x onerror=alert(1)> \x1b]0;title\x07&amp;\n 10%\r 50%\r100%\n\x1b[4munder\x1b[24mline\x1b[2K\rgone\n".encode()
for at in range(0, len(out), 7):
    os.write(1, out[at:at + 7])
    time.sleep(0.002)
os.write(2, b"oops\n")
os.write(1, b"no newline at the end")
`

func TestALogIsShownAsATerminalWouldShowIt(t *testing.T) {
	h := newHouse(t)
	id := h.python(colourful)
	p := h.openExecution(id, "")
	p.wait(`document.querySelector('.end')`)
	p.lines(6) // of two pipes, whose order among each other is not sure
	if got, want := p.eval(`[...document.querySelectorAll('.log .l:not(.e)')].map(l => l.textContent).join('|')`), "red orange green plain é日本😀|<img src=x onerror=alert(1)> &amp;|100%|gone|no newline at the end"; got != want {
		t.Errorf("%q", got)
	}
	if got := p.eval(`document.querySelector('.log .e').textContent`); got != "oops" {
		t.Errorf("stderr: %q", got)
	}
	if got := p.eval(`[...document.querySelectorAll('.log .l:first-child span')].map(s => s.className + s.style.cssText).join('|')`); got != "sb f1|sf--f: #ff8700;|sf--f: #0ac81e;" {
		t.Errorf("looks: %s", got)
	}
	if got := p.eval(`getComputedStyle(document.querySelector('.log .e'), '::before').content`); !strings.Contains(got, "!") {
		t.Errorf("stderr can't be told from stdout without colours: %s", got)
	}
	// What is selected is what was written, without numbers.
	if got := p.eval(`(() => { getSelection().selectAllChildren(document.querySelector('.log')); return getSelection().toString() })()`); !strings.HasPrefix(got, "red orange green plain é日本😀\n<img") {
		t.Errorf("selected: %q", got)
	}
}

const grouped = `echo before; echo "::group::Outer"; echo a; echo "::group::Inner"; echo b; echo "::endgroup::"; echo c; echo "::endgroup::"; echo after; sleep 1; echo err >&2`

func TestGroupsFoldAndStreamsPart(t *testing.T) {
	h := newHouse(t)
	id := h.sh(grouped)
	h.await(id, execution.Completed)
	p := h.openExecution(id, "")
	p.shows("before|Outer|a|Inner|b|c|after|err")
	p.clickText("Inner")
	p.shows("before|Outer|a|Inner|c|after|err")
	p.clickText("Outer")
	p.shows("before|Outer|after|err")
	p.wait(`location.search.includes('closed=4%2C2')`)
	p.do(reload())
	p.shows("before|Outer|after|err")
	p.wait(`document.querySelectorAll('.fold[aria-expanded=false]').length === 2`)
	p.clickText("stderr")
	p.shows("err")
	p.clickText("stdout")
	p.shows("before|Outer|after")
	p.clickText("All")
	p.keys("e")
	p.wait(`location.hash === '#L10' && document.querySelector('.log .at')?.textContent === 'err'`)
	p.keys("t")
	p.wait(`/^\d\d:\d\d:\d\d\.\d{3}$/.test(document.querySelector('.log .l').dataset.t)`)
	p.keys("t")
	p.wait(`/^\+0:00\.\d{3}$/.test(document.querySelector('.log .l').dataset.t)`)
	p.keys("w")
	p.wait(`document.querySelector('.log.wrap')`)
	if got := p.path(); !strings.Contains(got, "t=rel") || !strings.Contains(got, "wrap=1") {
		t.Errorf("the address does not say what is shown: %s", got)
	}
	for format, want := range map[string]string{"text": "before\n::group::Outer\n", "ndjson": `{"seq":1,`} {
		href := p.eval(fmt.Sprintf(`document.querySelector('a[download][href*="format=%s"]').href`, format))
		if got := h.fetch(href); !strings.HasPrefix(got, want) {
			t.Errorf("download as %s: %.80q", format, got)
		}
	}
}

// inSight is a function of JavaScript: whether a line is within what is seen of the log.
const inSight = `(n => { const r = document.querySelector('.log [data-n="' + n + '"]').getBoundingClientRect(), v = document.querySelector('.log').getBoundingClientRect(); return r.top >= v.top && r.bottom <= v.bottom })`

func TestALogIsSearched(t *testing.T) {
	h := newHouse(t)
	id := h.sh(`for i in $(seq 1 500); do case $i in 70|300) echo "line $i: Needle (x+y) needle";; *) echo "line $i";; esac; done`)
	h.await(id, execution.Completed)
	p := h.openExecution(id, "")
	p.lines(500)
	p.keys("/")
	p.wait(`document.activeElement.type === 'search'`)
	p.fill(".search input", "needle")
	p.wait(`document.querySelector('.hits')?.textContent === '– of 2'`)
	p.keys("\r")
	p.wait(`document.querySelector('.hits').textContent === '2 of 2' && CSS.highlights.get('hit-now').size === 2`) // two in one line
	p.wait(inSight + "(300)")
	p.eval("document.activeElement.blur()")
	p.keys("n")
	p.wait(`document.querySelector('.hits').textContent === '1 of 2'`)
	p.wait(inSight + "(70)")
	p.keys("p")
	p.wait(inSight + "(300)")
	p.clickText("Only hits")
	onlyHits := `[...document.querySelectorAll('.log .l')].filter(l => !l.hidden).map(l => l.dataset.n).join() === '67,68,69,70,71,72,73,297,298,299,300,301,302,303'`
	p.wait(onlyHits)
	p.do(reload()) // the address has it all
	p.wait(`document.querySelector('.search input')?.value === 'needle' && ` + onlyHits)
	p.clickText("Only hits")
	p.fill(".search input", "Needle (x+y)")
	p.wait(`document.querySelector('.hits')?.textContent === '– of 2'`) // no pattern, so its signs are signs; and its case counts
	p.clickText("Regular expression")
	p.wait(`document.querySelector('.hits')?.textContent === 'no hits'`)
	p.fill(".search input", `^line \d{3}$`)
	p.wait(`document.querySelector('.hits')?.textContent === '– of 400'`)
	p.fill(".search input", `(`)
	p.wait(`document.querySelector('.search .error-text')`)
}

func TestALinkToLinesSurvivesAReload(t *testing.T) {
	h := newHouse(t)
	id := h.sh("seq 1 3000")
	h.await(id, execution.Completed)
	p := h.openExecution(id, "#L1500")
	p.wait(`document.querySelector('.log .at')?.textContent === '1500'`)
	p.wait(inSight + "(1500)")
	click := `((n, shiftKey) => { const l = document.querySelector('.log [data-n="' + n + '"]'), r = l.getBoundingClientRect(); l.dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: r.left + 20, clientY: r.top + 5, shiftKey})) })`
	p.eval(click + "(1502, false)")
	p.wait(`document.querySelector('.log .at')?.textContent === '1502'`)
	p.eval(click + "(1505, true)")
	p.wait(`location.hash === '#L1502-L1505'`)
	p.do(reload())
	p.wait(`[...document.querySelectorAll('.log .at')].map(l => l.textContent).join() === '1502,1503,1504,1505'`)
	p.wait(inSight + "(1502)")
}

func TestFollowingRestsWhileOneReadsAbove(t *testing.T) {
	h := newHouse(t)
	id := h.sh(`i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo "line $i"; [ $((i % 10)) = 0 ] && sleep 0.05; done`)
	p := h.openExecution(id, "")
	atEnd := `(l => l.scrollHeight - l.scrollTop - l.clientHeight < 40)(document.querySelector('.log'))`
	p.wait(`document.querySelectorAll('.log .l').length > 60 && ` + atEnd)
	p.eval(`document.querySelector('.log').scrollTop = 200`)
	p.wait(`/^↓ [1-9]\d* new lines?$/.test(document.querySelector('.log-end')?.textContent)`)
	if top := p.eval(`Math.round(document.querySelector('.log').scrollTop)`); top != "200" {
		t.Errorf("what is read moved away, to %s", top)
	}
	p.wait(`location.search === '?follow=0'`)
	p.click(".log-end")
	p.wait(`!document.querySelector('.log-end') && ` + atEnd)
	// In a frame that is about to scroll to the end: once must be enough.
	p.eval(`requestAnimationFrame(() => { document.querySelector('.log').scrollTop = 200 }) && document.dispatchEvent(new Event('visibilitychange'))`)
	p.wait(`document.querySelector('.log-end')`)
	p.click(".log-end")
	p.wait(`!document.querySelector('.log-end') && ` + atEnd)
	// Right after a frame that scrolled to the end: what the browser then tells of that is not the reader's wish.
	eval[any](p, `new Promise(done => new MutationObserver((_, seen) => {
		seen.disconnect()
		document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'f', bubbles: true }))
		requestAnimationFrame(() => requestAnimationFrame(done))
	}).observe(document.querySelector('.log'), { childList: true, subtree: true })).then(() => true)`)
	p.wait(`document.querySelector('.log-end')`)
	p.keys(kb.End)
	p.wait(`!document.querySelector('.log-end') && location.search === ''`)
}

// The same bytes in two chunks, cut at any place, are the same rows.
func TestALogDoesNotMindWhereAChunkEnds(t *testing.T) {
	h := newHouse(t)
	p := h.open("/console")
	wrong := eval[[]int](p, `import(document.querySelector('script[type=module]').src.replace('app.js', 'log.js')).then(({ Log }) => {
		const bytes = new TextEncoder().encode('\x1b[1;31mred\x1b[0m é日本😀\n\x1b[38;5;208morange\x1b]0;title\x07 50%\r100%\n::group::G\nlong line\rshort\nabc\bX')
		const rows = (...chunks) => {
			const all = []
			const log = new Log((row, fresh) => { if (fresh) all.push(row) })
			chunks.forEach((c, i) => log.push({ seq: i + 1, type: 'log', data: { stream: 'stdout', base64: btoa(String.fromCharCode(...c)), time: '2026-01-01T00:00:00.000Z' } }))
			return all.map(r => r.text + JSON.stringify(r.marks?.map(m => typeof m === "number" ? m : m.fg)) + r.head?.title).join('|')
		}
		const want = rows(bytes)
		if (!want.includes('red é日本😀') || !want.includes('100%')) return [-1]
		return [...bytes.keys()].filter(i => rows(bytes.slice(0, i), bytes.slice(i)) !== want)
	})`)
	if len(wrong) > 0 {
		t.Errorf("other rows when a chunk ends at the bytes %v", wrong)
	}
}

// What only an accident makes, an accident of which the log must tell.
func TestALogSaysWhatIsMissingAndWhoWentOn(t *testing.T) {
	h := newHouse(t)
	p := h.open("/console")
	got := eval[[]string](p, `import(document.querySelector('script[type=module]').src.replace('app.js', 'log.js')).then(({ Log }) => {
		const rows = []
		const log = new Log((row, fresh) => { if (fresh) rows.push(row) })
		const out = (seq, text) => log.push({ seq, type: 'log', data: { stream: 'stdout', text, time: '2026-01-01T00:00:00.000Z', attempt: 1 } })
		out(1, 'first, cut')
		log.push({ seq: 9, type: 'gap', data: { from: 2, to: 9, reason: 'over budget', bytes: 12345 } })
		out(10, 'after it\n')
		out(10, 'the same event again\n')
		log.push({ seq: 11, type: 'status', data: { status: 'queued', reason: 'worker_lost', after_attempt: 1, message: '' } })
		log.push({ seq: 12, type: 'status', data: { status: 'running', attempt: 2, worker: 'worker-2' } })
		out(13, 'again')
		return rows.map(r => r.n + ' ' + r.text)
	})`)
	want := []string{
		"1 first, cut", "0 Events 2 to 9 are gone (over budget): 12,345 bytes of output", "2 after it",
		"0 Attempt 1 was ended (worker_lost) and it went back in line", "0 Attempt 2 began on worker-2", "3 again",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	phases := eval[string](p, `import(document.querySelector('script[type=module]').src.replace('app.js', 'execution-phases.js')).then(({ phasesOf }) => {
		const at = s => new Date(Date.UTC(2026, 0, 1, 0, 0, s)).toISOString()
		const e = { created_at: at(0), started_at: at(20), completed_at: null, status: 'running', attempt: 2, past_attempts: [{ attempt: 1, started_at: at(2), ended_at: at(9), reason: 'worker_lost', worker: 'w' }] }
		return phasesOf(e, Date.parse(at(30))).map(p => p.kind + ' ' + p.label + ' ' + (p.to - p.from) / 1000 + (p.live ? ' live' : '')).join('|')
	})`)
	if phases != "queued in line 2|error attempt 1 7|queued in line again 11|running attempt 2 10 live" {
		t.Errorf("phases: %s", phases)
	}
}
