package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// analysis starts one that says how far it is, goes on for seconds, and ends with exit.
func (h *house) analysis(week, percent int, seconds float64, exit int) execution.ID {
	h.T.Helper()
	return h.run(api.StartRequest{
		Engine: "voice-of-customer", Args: []string{fmt.Sprintf("--week=%d", week)}, Labels: map[string]string{"team": "sales"},
		Input: fmt.Appendf(nil, `{"percent":%d,"seconds":%g,"exit":%d}`, percent, seconds, exit),
	})
}

// busy fills a house with executions of every outcome: some run, and one waits.
func busy(t *testing.T, h *house) (running, queued execution.ID) {
	t.Helper()
	h.worker("worker-2", "MAX_CONCURRENT=2")
	var ended []execution.ID
	for i := range 5 {
		ended = append(ended, h.analysis(40+i, 100, 0.4+0.3*float64(i), 0))
	}
	slow := h.run(api.StartRequest{Command: "sleep", Args: []string{"1h"}, TimeoutSeconds: 1})
	stopped := h.analysis(12, 10, 50, 0)
	ended = append(ended, h.analysis(45, 20, 0.6, 3), h.sh("kill -9 $$"))
	h.await(stopped, execution.Running)
	if _, err := h.client.Cancel(t.Context(), stopped, 0); err != nil {
		t.Fatal(err)
	}
	for _, id := range append(ended, slow, stopped) {
		h.Eventually(string(id)+" has ended", func() bool {
			e, err := h.client.Status(t.Context(), id)
			return err == nil && e.Status.Terminal()
		})
	}
	for i := range 5 {
		h.analysis(46+i, 20+i*15, 50, 0)
	}
	running = h.run(api.StartRequest{Command: "sleep", Args: []string{"5m"}})
	h.await(running, execution.Running)
	queued = h.analysis(52, 0, 1, 0)
	return running, queued
}

func TestTheListShowsWhatThereIsAndFollowsIt(t *testing.T) {
	h := newHouse(t)
	running, queued := busy(t, h)
	p := h.open("/console")
	p.wait(`document.querySelectorAll('table.executions tbody tr').length === 16`)
	p.wait(`document.querySelectorAll('.gantt .bar').length === 16 && document.querySelectorAll('progress').length === 5`)
	for _, status := range []string{"queued", "running", "completed", "failed", "timeout", "cancelled"} {
		p.wait(`document.querySelector('.badge.` + status + `') && document.querySelector('.bar.` + status + `')`)
	}
	if narrow := eval[int](p, `[...document.querySelectorAll('.bar rect')].filter(r => r.getBBox().width < 6).length`); narrow != 0 {
		t.Errorf("%d bars are too narrow to be hit", narrow)
	}
	p.look("executions")

	// What happens shows itself without a load of the page, and moves nothing.
	top := p.eval(`document.querySelector('table.executions').getBoundingClientRect().top`)
	if _, err := h.client.Cancel(t.Context(), queued, 0); err != nil {
		t.Fatal(err)
	}
	p.wait(`document.querySelector('#row-` + string(queued) + ` .badge.cancelled')`)
	p.wait(`document.querySelector('.counts .queued b').innerText === '0'`)
	if now := p.eval(`document.querySelector('table.executions').getBoundingClientRect().top`); now != top {
		t.Errorf("the list moved from %s to %s", top, now)
	}
	p.clickBar(running)
	p.wait(`document.querySelector('main.page-execution')`)
	if p.path() != "/console/executions/"+string(running) {
		t.Errorf("the bar leads to %s", p.path())
	}
}

func TestFiltersAreInTheAddress(t *testing.T) {
	h := newHouse(t)
	failed := h.sh("exit 3")
	for _, team := range []string{"sales", "support"} {
		h.await(h.run(api.StartRequest{Engine: "report", Params: []byte(`{"topic":"Numbers"}`), Labels: map[string]string{"team": team}}), execution.Completed)
	}
	h.await(failed, execution.Failed)
	p := h.open("/console")
	rows := func(n int) {
		t.Helper()
		p.wait(fmt.Sprintf(`document.querySelectorAll('table.executions tbody tr').length === %d && !document.querySelector('.stale')`, n))
	}
	rows(3)
	p.click(".counts .failed")
	rows(1)
	if !strings.Contains(p.path(), "status=failed") {
		t.Errorf("the address is %s", p.path())
	}
	p.click(".counts .failed")
	rows(3)
	p.keys("/")
	p.wait(`document.activeElement.type === 'search'`)
	p.fill("input[type=search]", "SUPPO")
	rows(1)
	p.goTo(p.path()) // the address alone says it
	rows(1)
	p.clickText("Clear")
	rows(3)
	p.click(".label")
	rows(1)
	p.back()
	rows(3)
	p.eval(`(() => { const s = document.querySelector('select[aria-label=Engine]'); s.value = 'report'; s.dispatchEvent(new Event('change', {bubbles: true})) })()`)
	rows(2)
	p.goTo("/console/?q=no-such-thing")
	p.wait(`document.body.innerText.includes('Nothing matches')`)
	p.look("nothing-matches")
}

func TestKeysLeadEverywhere(t *testing.T) {
	h := newHouse(t)
	first, second := h.sh("echo 1"), h.sh("echo 2")
	h.await(first, execution.Completed)
	h.await(second, execution.Completed)
	p := h.open("/console")
	p.wait(`document.querySelectorAll('table.executions tbody tr').length === 2`)
	p.keys("jj")
	p.wait(`document.querySelector('tr.selected')?.id === 'row-` + string(first) + `'`)
	p.keys("k")
	p.wait(`document.querySelector('tr.selected')?.id === 'row-` + string(second) + `'`)
	p.keys("\r")
	p.wait(`location.pathname.endsWith('` + string(second) + `')`)
	for key, title := range map[string]string{"w": "Workers", "q": "Queue", "n": "New run", "c": "Engines", "e": "Executions"} {
		p.keys("g" + key)
		p.wait(`document.querySelector('main h1')?.innerText === '` + title + `' && document.title.startsWith('` + title + `')`)
		p.eval(`document.activeElement.blur()`) // out of the first field of a form
	}
	p.keys("?")
	p.wait(`document.querySelector('dialog[open]')?.innerText.includes('Go to workers')`)
	p.look("keys")
}
