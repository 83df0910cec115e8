package console

import (
	"strings"
	"testing"
)

func TestTheEndOfAWatchedRunIsTold(t *testing.T) {
	h := newHouse(t)
	p := h.open("/console/new?command=sh")
	// What the browser would show to its visitor.
	p.eval(`(window.told = [], window.Notification = class { static permission = 'granted'; constructor(title, o) { told.push(title + ' ' + o.body) } })`)
	p.fill(p.field("Arguments"), "-c\nsleep 1; exit 4")
	p.eval(`document.querySelector(` + quote(p.field("Tell me")) + `).click()`)
	p.clickText("Start")
	p.idOf()
	p.keys("gw") // it need not be looked at
	p.wait(`told.length > 0 && document.querySelector('.toast.bad a')`)
	if told := p.eval("told.join()"); !strings.HasPrefix(told, "failed: sh -c") {
		t.Errorf("it was told %q", told)
	}
	if left := p.eval(`localStorage.getItem('watched')`); left != "[]" {
		t.Errorf("still watched: %s", left)
	}
}

func TestOlderPagesOfTheListAreInTheAddress(t *testing.T) {
	h := newHouse(t)
	for range 60 {
		h.sh("true")
	}
	p := h.open("/console")
	p.wait(`document.querySelectorAll('table.executions tbody tr').length === 50`)
	p.clickText("Older")
	p.wait(`document.querySelectorAll('table.executions tbody tr').length === 10 && location.search.includes('cursor=')`)
	p.goTo(p.path())
	p.wait(`document.querySelectorAll('table.executions tbody tr').length === 10`)
	p.clickText("Newest")
	p.wait(`document.querySelectorAll('table.executions tbody tr').length === 50 && !location.search.includes('cursor=')`)
}

func TestRowsStandStillUnderThePointer(t *testing.T) {
	h := newHouse(t)
	first := h.sh("true")
	p := h.open("/console")
	p.wait(`document.querySelector('#row-` + string(first) + `')`)
	p.eval(`document.querySelector('.table-wrap').parentElement.dispatchEvent(new PointerEvent('pointerenter', {pointerType: 'mouse'}))`)
	second := h.sh("true")
	p.wait(`document.querySelector('.list-head button')?.innerText === 'Show 1 new'`)
	if p.eval(`document.querySelector('#row-`+string(second)+`')`) != "null" {
		t.Error("the new row is shown")
	}
	p.clickText("Show 1 new")
	p.wait(`document.querySelector('#row-` + string(second) + `')`)
}
