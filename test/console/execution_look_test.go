package console

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

func TestThePageOfOneExecutionIsForEverybody(t *testing.T) {
	h := newHouse(t, "METRICS_INTERVAL=1s")
	dir := t.TempDir()
	labels := map[string]string{"team": "research", "week": "45"}
	start := func(until string, code int) execution.ID {
		input := fmt.Sprintf(`{"until":%q,"code":%d}`, filepath.Join(dir, until), code)
		return h.run(api.StartRequest{Engine: "weekly-voices", Input: json.RawMessage(input), Labels: labels})
	}
	good, bad, stop := start("good", 0), start("bad", 3), h.sh(`trap "exit 1" TERM; echo started; while :; do sleep 0.1; done`)

	p := h.openExecution(good, "")
	p.wait(`document.querySelectorAll('.agents li').length === 4`)
	p.look("running")
	touch(t, dir, "good")
	p.wait(`document.querySelector('.end')`)
	p.wait(`document.querySelectorAll('.files li').length === 2`)
	p.look("completed")
	p.clickText("report.md")
	p.wait(`document.querySelector('.markdown table')`)
	p.look("preview")
	p.clickText("Close the preview")
	p.fill(".search input", "step")
	p.wait(`document.querySelector('.hits')`)
	p.keys("\r")
	p.look("search")

	touch(t, dir, "bad")
	p = h.openExecution(bad, "")
	p.wait(`document.querySelector('.end-lines')`)
	p.look("failed")

	p = h.openExecution(stop, "")
	p.lines(1)
	p.clickText("Cancel")
	p.clickText("Cancel it")
	p.wait(`document.querySelector('.receipt')`)
	p.look("cancelled")

	for range 4 {
		h.sh("sleep 600")
	}
	p = h.openExecution(h.sh("true"), "")
	p.wait(`document.querySelector('.in-line')`)
	p.look("queued")
}
