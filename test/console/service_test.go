package console

import (
	"strings"
	"syscall"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestWorkersAndTheQueueShowWhoWorksAndWhoWaits(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.open("/console/queue")
	p.wait(`document.body.innerText.includes('Nobody waits')`)
	for range 7 {
		h.sh("sleep 60")
	}
	p.wait(`document.querySelectorAll('tbody tr .mono').length === 3`)
	p.look("queue")
	if first := p.eval(`document.querySelector('tbody tr .mono').closest('tr').innerText`); !strings.HasPrefix(first, "1") {
		t.Errorf("the first in line is %q", first)
	}
	p.goTo("/console/workers")
	p.wait(`document.querySelectorAll('a.slot').length === 4 && !document.querySelector('.slot.free')`)
	h.worker("worker-2", "MAX_CONCURRENT=5")
	p.wait(`document.querySelectorAll('a.slot').length === 7 && document.querySelectorAll('.slot.free').length === 2`)
	p.look("workers")
	p.click("a.slot")
	p.wait(`location.pathname.startsWith('/console/executions/')`)
}

func TestAWorkerThatDrainsSaysSo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.worker("worker-2", "MAX_CONCURRENT=9", "DRAIN_TIMEOUT=20s", "CANCEL_GRACE=15s")
	p := h.open("/console/workers")
	p.wait(`document.querySelectorAll('.worker').length === 2`)
	for range 8 {
		h.sh("trap '' TERM; while :; do sleep 0.1; done")
	}
	p.wait(`document.querySelector('[aria-label="worker-2"] a.slot')`)
	w.Signal(syscall.SIGTERM)
	p.wait(`document.querySelector('[aria-label="worker-2"] .pill')?.innerText === 'drains'`)
}

func TestAServerThatIsAwayIsSaidAndComesBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.await(h.sh("echo hello"), execution.Completed)
	p := h.open("/console")
	p.wait(`document.querySelectorAll('table.executions tbody tr').length === 1`)
	h.api.Kill()
	p.wait(`document.querySelector('.banner')`)
	if rows := eval[int](p, `document.querySelectorAll('table.executions tbody tr').length`); rows != 1 {
		t.Errorf("%d rows are shown while the server is away", rows)
	}
	p.look("lost")
	h.startAPI()
	p.wait(`!document.querySelector('.banner')`)
}

// A line that breaks for a moment, as when the network changes, costs nobody the page.
func TestAPageIsAskedForOnceMore(t *testing.T) {
	p := newHouse(t).open("/console")
	p.wait(`document.querySelector('main h1')`)
	p.block("*://*:*/*/newrun.js")
	p.eval(`window.stayed = true, window.asked = 0, new PerformanceObserver(l => { asked += l.getEntries().filter(e => e.name.endsWith('/newrun.js')).length }).observe({ type: 'resource' })`)
	p.clickText("New run")
	p.wait(`asked === 1`)
	p.block()
	p.wait(`document.querySelector('main h1')?.innerText === 'New run' && window.stayed`)
}
