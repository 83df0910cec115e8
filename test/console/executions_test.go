package console

import (
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestAnExecutionIsListedAndOpens(t *testing.T) {
	h := newHouse(t)
	id := h.sh("echo hello")
	h.await(id, execution.Completed)
	p := h.open("/console")
	p.wait(`document.querySelector('table .badge.completed')`)
	p.click("table a")
	p.wait(`document.querySelector('main.page-execution h1')`)
	if want := "/console/executions/" + string(id); p.path() != want {
		t.Errorf("the page is %s", p.path())
	}
}
