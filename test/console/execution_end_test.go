package console

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

func reload() chromedp.Action[chromedp.Void] { return chromedp.Reload() }

// reasons are all of package execution, from its source: a new one cannot be forgotten.
func reasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join(rig.Root(), "pkg", "execution", "status.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if kind, ok := v.Type.(*ast.Ident); ok && kind.Name == "Reason" {
			if s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value); err == nil {
				found = append(found, s)
			}
		}
		return true
	})
	if !slices.Contains(found, string(execution.ReasonInternal)) {
		t.Fatalf("the reasons are not where they were: %v", found)
	}
	return found
}

func TestEachReasonHasWordsAndSaysWhatToChange(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.open("/console")
	p.eval(`import(document.querySelector('script[type=module]').src.replace('app.js', 'execution-end.js')).then(m => { window.end = m })`)
	words := map[string]string{}
	for _, reason := range reasons(t) {
		e := fmt.Sprintf(`{reason: %q, exit_code: 3, signal: 'SIGKILL', timeout_seconds: 60, started_at: '2026-01-01T00:00:00Z', worker: 'w', error_message: null}`, reason)
		p.wait("window.end")
		what := p.eval(`end.explain(` + e + `).what`)
		if !strings.HasSuffix(what, ".") || what == "It has ended." {
			t.Errorf("%s has no words: %q", reason, what)
		}
		if other, twice := words[what]; twice {
			t.Errorf("%s and %s have the same words", reason, other)
		}
		words[what] = reason
		changes := eval[int](p, `end.explain(`+e+`).change.filter(([setting, how]) => setting && how).length`)
		if nothing := reason == "exited" || reason == "cancelled"; nothing != (changes == 0) {
			t.Errorf("%s: %d things to change", reason, changes)
		}
	}
}

func TestTheCardSaysWhatEndedIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, c := range []struct {
		name string
		req  api.StartRequest
		want execution.Status
		says []string
	}{
		{
			"exit code",
			api.StartRequest{Args: []string{"-c", "echo ok; echo first >&2; echo 'Error: no such table' >&2; exit 3"}},
			execution.Failed,
			[]string{"It failed", "ended itself with exit code 3.", "Last lines of stderr", "first\nError: no such table", "Exit code\n3", "Peak memory", "CPU time", "worker-1", "1 of 1", "What to change"},
		},
		{"not found", api.StartRequest{Args: []string{"-c", "exec no-such-program"}}, execution.Failed, []string{"By 127 a shell means", "look at PATH"}},
		{"signal", api.StartRequest{Args: []string{"-c", "kill -9 $$"}}, execution.Failed, []string{"killed by SIGKILL", "Signal\nSIGKILL", "MAX_CONCURRENT", "limits.address_space"}},
		{
			"timeout",
			api.StartRequest{Args: []string{"-c", "sleep 60"}, TimeoutSeconds: 1},
			execution.Timeout,
			[]string{"It ran out of time", "longer than the 1.0 s", "timeout_seconds", "MAX_EXECUTION_DURATION", "Receipt", "SIGTERM sent", "no process of it is left"},
		},
		{"completed", api.StartRequest{Args: []string{"-c", "true"}}, execution.Completed, []string{"Completed", "exit code 0", "Ran for"}},
	} {
		c.req.Command = "sh"
		id := h.run(c.req)
		h.await(id, c.want)
		p := h.openExecution(id, "")
		p.wait(`document.querySelector('.end')`)
		for _, text := range c.says {
			p.wait(fmt.Sprintf(`document.querySelector('.end').innerText.includes(%q)`, text))
		}
		if badge := p.eval(`document.querySelector('.x-title .badge').innerText`); badge != string(c.want) {
			t.Errorf("%s: the badge says %s", c.name, badge)
		}
	}
}

func TestACancelIsAskedForOnceMoreAndHasAReceipt(t *testing.T) {
	h := newHouse(t)
	id := h.sh(`trap "echo bye; sleep 0.5; exit 0" TERM; echo ready; while :; do sleep 0.1; done`)
	p := h.openExecution(id, "")
	p.lines(1)
	p.clickText("Cancel")
	p.wait(`document.querySelector('dialog[open]')`)
	p.clickText("Let it run")
	p.wait(`!document.querySelector('dialog')`)
	if e, err := h.client.Status(t.Context(), id); err != nil || e.CancelRequestedAt != nil {
		t.Fatalf("it was cancelled without a word: %v, %v", e, err)
	}
	p.clickText("Cancel")
	p.clickText("Cancel it")
	p.wait(`document.querySelector('.receipt')`)
	steps := p.eval(`document.querySelector('.receipt').innerText`)
	for _, text := range []string{"Stop requested", "SIGTERM sent to the program", "Proved: no process of it is left"} {
		if !strings.Contains(steps, text) {
			t.Errorf("the receipt lacks %q: %s", text, steps)
		}
	}
	if got := p.eval(`[...document.querySelectorAll('.receipt time')].every((t, i, all) => !i || t.dateTime >= all[i - 1].dateTime)`); got != "true" {
		t.Errorf("the receipt is out of order: %s", steps)
	}
	p.wait(`document.querySelector('.x-title .badge').innerText === 'cancelled'`)
}
