package console

import (
	"path/filepath"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// voices is a run as people have them: agents, colours, groups, a warning, files.
// Its arguments are a folder in which it waits for a file, and its exit code.
const voices = `
import json, os, sys, time
events = os.fdopen(3, "w")
def tell(**event): events.write(json.dumps(event) + "\n"); events.flush()
say = lambda *words, to=sys.stdout: print(*words, file=to, flush=True)
say("\x1b[1mVoice of the customer\x1b[0m: 13,083 messages of week 45")
agents = ["planner", "researcher", "analyst", "critic"]
for n, agent in enumerate(agents):
    tell(type="agent", name=agent, status="running", message="reads the messages about cards")
    say("::group::" + agent)
    for step in range(1, 9):
        say(f"\x1b[36m09:41:{10 * n + step:02d}\x1b[0m \x1b[32mINFO\x1b[0m  {agent}: step {step} of 8 \x1b[2mtokens={step * 217}\x1b[0m")
        tell(type="progress", percent=n * 25 + step * 3, message=f"{agent}: step {step} of 8")
    say("::endgroup::")
    if agent == "analyst": say("\x1b[33mWARN\x1b[0m  rate limited by the model, waiting 2 s", to=sys.stderr)
    if agent != "critic": tell(type="agent", name=agent, status="completed", message="found 12 themes")
say("\x1b[38;5;208mcard arrival\x1b[0m \x1b[48;5;22m 1,204 \x1b[0m \x1b[38;2;255;255;0mtop-up failed\x1b[0m \x1b[7m 887 \x1b[0m \x1b[41m 12 \x1b[0m \x1b[94mexchange rate\x1b[0m")
while not os.path.exists(sys.argv[1]): time.sleep(0.05)
out = os.environ["EXECUTION_OUTPUT_DIR"]
open(os.path.join(out, "report.md"), "w").write("# Voice of the customer\n\nWhat **13,083** customers said in *week 45*.\n\n| theme | messages |\n|---|--:|\n| card arrival | 1,204 |\n| top-up failed | 887 |\n\n- Cards arrive late\n- See [the data](themes.csv)\n")
open(os.path.join(out, "themes.csv"), "w").write("theme,messages\n" + "".join(f"theme {n},{n * 31}\n" for n in range(30)))
json.dump({"themes": 12, "top": [{"name": "card arrival", "share": 0.092}], "ok": True}, open(os.environ["EXECUTION_RESULT_FILE"], "w"))
if sys.argv[2] != "0":
    say('Traceback (most recent call last):\n  File "critic.py", line 12, in run\nConnectionError: the model is away', to=sys.stderr)
    sys.exit(int(sys.argv[2]))
`

func TestThePageOfOneExecutionIsForEverybody(t *testing.T) {
	h := newHouse(t, "METRICS_INTERVAL=1s")
	dir := t.TempDir()
	labels := map[string]string{"team": "research", "week": "45"}
	start := func(until, code string) execution.ID {
		return h.run(api.StartRequest{Command: "sh", Args: []string{"-c", `exec python3 -c "$0" "$@"`, voices, filepath.Join(dir, until), code}, Labels: labels})
	}
	good, bad, stop := start("good", "0"), start("bad", "3"), h.sh(`trap "exit 1" TERM; echo started; while :; do sleep 0.1; done`)

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
