package console

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// field is the CSS of the control with a label.
func (p *tab) field(label string) string {
	p.t.Helper()
	find := `[...document.querySelectorAll('label')].find(l => l.innerText.trim().startsWith(` + quote(label) + `))`
	p.wait(find)
	return "#" + p.eval(`CSS.escape((`+find+`).htmlFor || ((`+find+`).querySelector('input').id ||= 'check'))`)
}

func quote(s string) string { b, _ := json.Marshal(s); return string(b) }

// idOf is the execution of the page that is shown.
func (p *tab) idOf() execution.ID {
	p.t.Helper()
	p.wait(`location.pathname.startsWith('/console/executions/')`)
	return execution.ID(strings.TrimPrefix(p.path(), "/console/executions/"))
}

func (h *house) output(id execution.ID) string {
	h.T.Helper()
	page, err := h.client.Output(h.T.Context(), id, client.OutputQuery{})
	if err != nil {
		h.T.Fatal(err)
	}
	return page.Output
}

func TestAFormFromTheCatalogStartsARun(t *testing.T) {
	h := newHouse(t)
	p := h.open("/console/engines")
	p.wait(`document.querySelectorAll('.cards .card').length === 6`)
	p.look("engines")
	p.eval(`document.querySelector('[aria-label="New run of report"]').click()`)
	p.wait(`document.querySelector('main h1')?.innerText === 'New run'`)
	p.field("topic")
	if got := p.eval(`document.querySelector(` + quote(p.field("pages")) + `).value`); got != "10" {
		t.Errorf("the default of pages is %q in the form", got)
	}

	// What the server does not like stands at its field.
	p.fill(p.field("topic"), "ab")
	p.fill(p.field("pages"), "99")
	p.clickText("Start")
	p.wait(`document.querySelectorAll('.field .error-text').length === 2`)
	p.wait(`document.activeElement.id === ` + quote(strings.ReplaceAll(p.field("topic"), "#", "")) + ` || document.activeElement.getAttribute('aria-invalid') === 'true'`)
	p.look("newrun-refused")

	p.fill(p.field("topic"), "Quarter")
	p.fill(p.field("pages"), "12")
	p.eval(`(() => { const s = document.querySelector(` + quote(p.field("length")) + `); s.value = '"long"'; s.dispatchEvent(new Event('change', {bubbles: true})) })()`)
	p.eval(`document.querySelector('input[type=checkbox]').click()`)
	p.fill(p.field("sources"), "crm\nmail")
	p.clickText("Options")
	p.fill(p.field("Labels"), "team=sales")
	p.fill(p.field("Timeout"), "60")
	p.look("newrun")
	p.clickText("Start")
	id := p.idOf()
	h.await(id, execution.Completed)
	e, err := h.client.Status(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if e.TimeoutSeconds != 60 || e.Labels["team"] != "sales" {
		t.Errorf("it was started with %d s and %v", e.TimeoutSeconds, e.Labels)
	}
	_, given, _ := strings.Cut(strings.SplitN(h.output(id), "\n", 2)[0], " of ")
	var params map[string]any
	if err := json.Unmarshal([]byte(given), &params); err != nil {
		t.Fatalf("%s: %v", given, err)
	}
	for name, want := range map[string]string{"topic": `"Quarter"`, "pages": "12", "length": `"long"`, "draft": "true", "sources": `["crm","mail"]`} {
		if got, _ := json.Marshal(params[name]); string(got) != want {
			t.Errorf("%s is %s", name, got)
		}
	}
}

func TestACommandStartsWithItsArgumentsAsTheyAre(t *testing.T) {
	h := newHouse(t)
	p := h.open("/console/new?command=sh")
	p.fill(p.field("Arguments"), "-c\necho \"$0 and $1\"\na b\n'c'")
	p.clickText("Start")
	id := p.idOf()
	h.await(id, execution.Completed)
	if got := h.output(id); got != "a b and 'c'\n" {
		t.Errorf("it wrote %q", got)
	}
}

func TestARunIsRepeatedWithOtherArguments(t *testing.T) {
	h := newHouse(t)
	first := h.run(api.StartRequest{Command: "sh", Args: []string{"-c", "echo first"}, Labels: map[string]string{"team": "sales"}})
	h.await(first, execution.Completed)
	p := h.open("/console/new?from=" + string(first))
	args := p.field("Arguments")
	if got := p.eval(`document.querySelector(` + quote(args) + `).value`); got != "-c\necho first" {
		t.Errorf("the arguments are %q", got)
	}
	p.fill(args, "-c\necho second")
	p.look("run-again")
	p.clickText("Run again")
	id := p.idOf()
	h.await(id, execution.Completed)
	e, err := h.client.Status(t.Context(), id)
	if err != nil || id == first || e.Labels["team"] != "sales" || h.output(id) != "second\n" {
		t.Errorf("%s: %v, %v, %q", id, err, e.Labels, h.output(id))
	}
}

func TestARunWithOneOtherVariableKeepsTheRest(t *testing.T) {
	h := newHouse(t)
	first := h.run(api.StartRequest{Command: "sh", Args: []string{"-c", `echo "$ONE $TWO"`}, Env: map[string]string{"ONE": "a", "TWO": "b"}})
	h.await(first, execution.Completed)
	p := h.open("/console/new?from=" + string(first))
	p.fill(p.field("TWO"), "c")
	p.clickText("Run again")
	id := p.idOf()
	h.await(id, execution.Completed)
	if got := h.output(id); got != "a c\n" {
		t.Errorf("it was run with %q", got)
	}
}

func TestRunAgainNeedsNoSecureContext(t *testing.T) {
	h := newHouse(t)
	first := h.sh("echo again")
	h.await(first, execution.Completed)
	p := h.openExecution(first, "")
	p.eval(`delete Crypto.prototype.randomUUID`) // as on a page that came over plain HTTP
	p.clickText("Run again")
	p.wait(`!location.pathname.endsWith(` + quote(string(first)) + `)`)
	h.await(p.idOf(), execution.Completed)
}

func TestARunTakesFilesWithIt(t *testing.T) {
	h := newHouse(t)
	p := h.open("/console/new?command=sh")
	p.fill(p.field("Arguments"), "-c\ncat \"$EXECUTION_INPUT_DIR/one.txt\" \"$EXECUTION_INPUT_DIR/two.txt\"")
	var paths []string
	for name, text := range map[string]string{"one.txt": "first ", "two.txt": "second"} {
		paths = append(paths, filepath.Join(h.Dir, name))
		if err := os.WriteFile(paths[len(paths)-1], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.do(chromedp.SetUploadFiles(chromedp.CSS("input[type=file]"), paths))
	p.wait(`document.body.innerText.includes('one.txt (6 B)')`)
	p.clickText("Start")
	id := p.idOf()
	h.await(id, execution.Completed)
	if got := h.output(id); got != "first second" {
		t.Errorf("it read %q", got)
	}
}
