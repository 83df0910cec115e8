package console

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// telling writes what the page has places for: events, files and a result.
const telling = `
import json, os, sys, time
events = os.fdopen(3, "w")
def tell(**event): events.write(json.dumps(event) + "\n"); events.flush()
def wait(name):
    while not os.path.exists(os.path.join(sys.argv[1], name)): time.sleep(0.02)
tell(type="progress", percent=25, message="reading")
tell(type="agent", name="planner", status="running", message="thinks <b>hard</b>")
print("started", flush=True)
wait("two")
tell(type="agent", name="planner", status="completed", message="has a plan")
tell(type="agent", name="writer", status="running")
tell(type="agent", name="critic", status="failed", message="no model")
tell(type="progress", percent=80, message="writing")
wait("end")
out = os.environ["EXECUTION_OUTPUT_DIR"]
def keep(name, text): open(os.path.join(out, name), "w").write(text)
keep("report.md", "# Report\n\nSome **bold** text, [data](table.csv) and [away](javascript:alert(1)).\n\n- one\n- two\n\n| a | b |\n|---|--:|\n| x | 1 |\n\n<script>window.hacked = 1</script>\n")
keep("table.csv", 'name,count\n"a, b",1\nc,22\n')
keep("data.json", '{"list": [1, 2, {"deep": true}], "text": "hi"}')
keep("page.html", "<p id=p>page</p><script>document.getElementById('p').textContent = 'script ran'</script>")
keep("notes.txt", "just text")
keep("dot.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'><rect width='40' height='20' fill='teal'/></svg>")
json.dump({"themes": 12, "ok": True}, open(os.environ["EXECUTION_RESULT_FILE"], "w"))
tell(type="progress", percent=100, message="done")
`

func TestADeepResultIsShownLevelByLevel(t *testing.T) {
	h := newHouse(t)
	id := h.python(`import os; print("here"); open(os.environ["EXECUTION_RESULT_FILE"], "w").write('{"a":' * 5000 + "1" + "}" * 5000)`)
	h.await(id, execution.Completed)
	p := h.openExecution(id, "")
	p.wait(`document.querySelector('[aria-label=Result] details[open]')`)
	p.lines(1)
	count := `document.querySelectorAll('[aria-label=Result] details').length`
	if n := eval[int](p, count); n > 10 {
		t.Errorf("%d levels are built at once", n)
	}
	before := p.eval(count)
	p.eval(`document.querySelector('[aria-label=Result] details:not([open]) summary').click()`)
	p.wait(count + ` > ` + before)
}

func TestWhatAProgramTellsOfItselfIsShown(t *testing.T) {
	h := newHouse(t)
	dir := t.TempDir()
	id := h.python(telling, dir)
	p := h.openExecution(id, "")
	p.wait(`document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow') === '25'`)
	p.wait(`document.querySelector('.agents')?.innerText.includes('thinks <b>hard</b>')`)
	touch(t, dir, "two")
	p.wait(`document.querySelectorAll('.agents li').length === 3 && document.querySelector('[aria-label=Agents]').innerText.includes('1 of 3 at work')`)
	if got := p.eval(`[...document.querySelectorAll('.agents li')].map(l => l.querySelector('.agent-sign').innerText + l.querySelector('.agent-name').innerText).join()`); got != "✓planner,●writer,✕critic" {
		t.Errorf("agents: %s", got)
	}
	p.wait(`document.querySelector('.phase.running.live')`)
	touch(t, dir, "end")
	p.wait(`document.querySelector('.end')`)
	p.wait(`document.querySelector('[aria-label=Result]')?.innerText.includes('themes: 12')`)
	p.wait(`document.querySelectorAll('.files li').length === 6`)
	if got := p.eval(`document.querySelectorAll('.agent-sign.live').length`); got != "0" {
		t.Errorf("%s agents are at work after the end", got)
	}
	for _, c := range []struct{ file, shows string }{
		{"report.md", `document.querySelector('.markdown h3').innerText === 'Report' && document.querySelector('.markdown strong').innerText === 'bold' && document.querySelectorAll('.markdown li').length === 2 &&
			document.querySelector('.markdown td.right').innerText === '1' && document.querySelectorAll('.markdown a').length === 1 && document.querySelector('.markdown').innerText.includes('<script>')`},
		{"table.csv", `[...document.querySelectorAll('.preview-text td')].map(c => c.innerText).join('|') === 'a, b|1|c|22'`},
		{"data.json", `document.querySelectorAll('.preview details').length === 3 && document.querySelector('.preview').innerText.includes('deep: true')`},
		{"notes.txt", `document.querySelector('.preview pre').innerText === 'just text'`},
		{"dot.svg", `document.querySelector('.preview img').naturalWidth === 40`},
		{"page.html", `document.querySelector('.preview iframe').getAttribute('sandbox') === ''`},
	} {
		p.clickText(c.file)
		p.wait(fmt.Sprintf("document.querySelector('.preview h2')?.innerText === %q", c.file))
		p.wait(c.shows)
	}
	if got := p.eval("window.hacked"); got != "undefined" {
		t.Error("a script of a file ran in the page")
	}
	p.goTo(p.path()) // the choice is in the address
	p.wait(`document.querySelector('.preview iframe')`)
	p.clickText("Close the preview")
	p.wait(`!document.querySelector('.preview')`)
}

func TestAPlaceInLineIsTold(t *testing.T) {
	h := newHouse(t)
	for range 4 { // the slots of the worker
		h.await(h.sh("sleep 600"), execution.Running)
	}
	h.sh("true")
	id := h.sh("true")
	p := h.openExecution(id, "")
	p.wait(`document.querySelector('.in-line')?.innerText.includes('1 execution before it')`)
	p.wait(`document.querySelector('.in-line').innerText.includes('1 worker, 4 of 4 slots busy')`)
	p.wait(`document.querySelector('.phase.queued.live')`)
	p.clickText("Cancel")
	p.wait(`document.querySelector('dialog').innerText.includes('taken out of the line')`)
	p.clickText("Cancel it")
	p.wait(`document.querySelector('.end')?.innerText.includes('while it was in line: it never ran')`)
}

func TestARunIsTakenElsewhere(t *testing.T) {
	h := newHouse(t)
	id := h.run(api.StartRequest{Command: "sh", Args: []string{"-c", `echo "it's $HOME"`}, Labels: map[string]string{"team": "a b"}})
	h.await(id, execution.Completed)
	p := h.openExecution(id, "")
	p.eval(`Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => { window.copied = text }}}), 1`)
	for name, says := range map[string][]string{
		"curl":       {"curl -X POST " + h.url, `Bearer $LONGHAUL_TOKEN`, `"team":"a b"`, `it'\''s`},
		"CLI":        {"longhaul run --", "--label 'team=a b'", "-- sh -c"},
		"TypeScript": {"process.env.LONGHAUL_TOKEN", `"command": "sh"`},
		"Python":     {`os.environ["LONGHAUL_TOKEN"]`, `client.run("sh", "-c"`, `labels={"team": "a b"}`},
	} {
		p.eval("window.copied = ''")
		p.clickText("Copy as")
		p.clickText(name)
		p.wait("window.copied")
		text := p.eval("window.copied")
		for _, s := range says {
			if !strings.Contains(text, s) {
				t.Errorf("as %s it lacks %q:\n%s", name, s, text)
			}
		}
		if strings.Contains(text, token) {
			t.Errorf("as %s it holds the token", name)
		}
	}
	if got := p.eval(`document.querySelector('a[href^="/console/new?from="]').getAttribute('href')`); got != "/console/new?from="+string(id) {
		t.Errorf("with changes: %s", got)
	}
	p.clickText("Run again")
	p.wait(fmt.Sprintf(`location.pathname.startsWith('/console/executions/exec_') && !location.pathname.endsWith(%q)`, string(id)))
	p.wait(`document.querySelector('.end')`)
	p.wait(fmt.Sprintf(`document.querySelector('.x-facts').innerText.includes('rerun of %s')`, id))
}

// What a line of text cannot carry is said in it, and a name cannot get out of the comment.
func TestWhatIsTakenElsewhereSaysWhatItLacks(t *testing.T) {
	p := newHouse(t).open("/console")
	for _, text := range eval[[]string](p, `import(document.querySelector('script[type=module]').src.replace('app.js', 'execution-copy.js')).then(({ forms }) =>
		forms.map(([, form]) => form({ command: 'sh', env: { A: '***' }, files: [{ path: 'a\n; b' }] }, 'http://x')))`) {
		lines := strings.Split(text, "\n")
		comment, _, _ := strings.Cut(lines[0], " ")
		if len(lines) < 3 || comment != "#" && comment != "//" || lines[0] != comment+` Without its input files: "a\n; b"` || lines[1] != comment+" Put in what *** stands for" {
			t.Errorf("it begins with\n%s", text)
		}
		if strings.Contains(text, `"files"`) {
			t.Errorf("the files are in\n%s", text)
		}
	}
}

// A file may be anything; nobody's page may hang on it.
func TestAFileOfNothingButSignsIsShown(t *testing.T) {
	p := newHouse(t).open("/console")
	got := eval[[]string](p, `import(document.querySelector('script[type=module]').src.replace('app.js', 'preview.js')).then(({ Markdown }) =>
		['['.repeat(1 << 19), ' _a'.repeat(1 << 17), '>'.repeat(1 << 14), '# ' + ' '.repeat(1 << 19) + 'x', '- '.repeat(1 << 14) + 'a']
			.map(text => Markdown({ text, link: () => undefined }).type))`)
	if want := []string{"div", "div", "div", "div", "div"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestALineThatIsCutIsTakenUpWithoutAHole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	dir := t.TempDir()
	id := h.sh(`i=0; while [ ! -e ` + dir + `/stop ]; do i=$((i+1)); echo "line $i"; sleep 0.01; done; echo last`)
	p := h.openExecution(id, "")
	p.wait(`document.querySelectorAll('.log .l').length > 50`)
	p.block("*://*:*/execute/stream/*")
	h.api.Kill()
	p.wait(`[...document.querySelectorAll('.banner')].map(b => /server has not answered for/.test(b.innerText)).join() === 'true'`) // one is enough
	h.startAPI()
	p.wait(`[...document.querySelectorAll('.banner')].map(b => b.matches('.inset') && /line to the server is cut\. Trying again/.test(b.innerText)).join() === 'true'`)
	p.block()
	p.wait(`!document.querySelector('.banner')`)
	touch(t, dir, "stop")
	p.wait(`document.querySelector('.end.completed-card')`)
	p.wait(`[...document.querySelectorAll('.log .l')].at(-1).textContent === 'last'`)
	if got := p.eval(`[...document.querySelectorAll('.log .l')].slice(0, -1).findIndex((l, i) => l.textContent !== 'line ' + (i + 1))`); got != "-1" {
		t.Errorf("a line is missing or twice there, at %s", got)
	}
}
