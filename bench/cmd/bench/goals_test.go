package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/bench/stat"
)

// results of one scenario: a value per round, and the fork rates of the rounds.
func results(scenario, key string, x, forks []float64) *result {
	res := &result{}
	for i := range x {
		res.add(&round{Scenario: scenario, Values: values{key: x[i], "other/half": x[i] / 2}, Fork: forks[i]})
	}
	return res
}

func TestAGoalIsJudgedByTheMedianOfUndisturbedRounds(t *testing.T) {
	even := []float64{100, 100, 100}
	least := atLeast("k", "", enqueue, just("a/b"), "x", 4, 6)
	most := atMost("k", "", enqueue, just("a/b"), "x", 4, 2)
	for _, c := range []struct {
		name     string
		goal     goal
		x, forks []float64
		verdict  string
		stretch  bool
	}{
		{"median passes", least, []float64{1, 4, 9}, even, "PASS", false},
		{"median fails", least, []float64{1, 3.9, 9}, even, "FAIL", false},
		{"stretch", least, []float64{6, 6, 9}, even, "PASS", true},
		{"at most", most, []float64{1, 4, 9}, even, "PASS", false},
		{"at most fails", most, []float64{1, 4.1, 9}, even, "FAIL", false},
		{"at most, stretch", most, []float64{2, 1, 9}, even, "PASS", true},
		{"no pass line", atBest("k", "", enqueue, just("a/b"), "x", 2), []float64{2, 1, 9}, even, "no pass line", true},
		{"no pass line, and no stretch", atBest("k", "", enqueue, just("a/b"), "x", 2), []float64{3, 1, 9}, even, "no pass line", false},
		{"too few rounds", least, []float64{5, 5}, []float64{100, 100}, "PASS?", false},
		{"a disturbed round does not count", least, []float64{1, 5, 5, 5}, []float64{59, 100, 100, 100}, "PASS", false},
		{"a little slower does count", least, []float64{1, 1, 5, 5}, []float64{61, 61, 100, 100}, "FAIL", false},
		{"the best round comes last", least, []float64{9, 9, 1}, []float64{50, 50, 100}, "FAIL?", false},
	} {
		goals = []goal{c.goal}
		js := results("enqueue", "a/b", c.x, c.forks).judge()
		if len(js) != 1 || js[0].Verdict != c.verdict || js[0].Reached != c.stretch {
			t.Errorf("%s: %+v", c.name, js)
		}
	}
}

func TestAGoalThatTheMachineItselfWouldMissIsSaidToBeSo(t *testing.T) {
	goals = []goal{
		atLeast("ratio", "", short, times("peer/seconds", "longhaul/seconds"), "x", 3, 4),
		atMost("own", "", short, just("longhaul/seconds"), "s", 2, 1),
		atLeast("without", "", short, just("longhaul/memory"), "MB", 1, 1),
	}
	res := &result{}
	for range 3 {
		res.add(&round{Scenario: "short", Fork: 1, Values: values{"peer/seconds": 2, "longhaul/seconds": 4, "longhaul/memory": 5, "limit/seconds": 1}})
	}
	js := res.judge()
	if len(js) != 3 || js[0].Verdict != "FAIL, and so would the limit" || *js[0].Limit != 2 || js[1].Verdict != "FAIL" || *js[1].Limit != 1 || js[2].Limit != nil {
		t.Errorf("%+v", js)
	}
}

func TestRoundsThatWereAllDisturbedGiveNoVerdict(t *testing.T) {
	goals = []goal{atLeast("k", "", enqueue, just("a/b"), "x", 4, 6)}
	res := results("enqueue", "a/b", []float64{5, 5, 5}, []float64{10, 10, 10})
	res.add(&round{Scenario: "short", Fork: 100})
	if js := res.judge(); js[0].Verdict != "PASS?" || res.clean("enqueue") != 0 {
		t.Errorf("%+v", js)
	}
}

func TestAGoalThatWasNotMeasuredIsNotJudged(t *testing.T) {
	goals = []goal{atLeast("k", "", enqueue, times("a/b", "missing/b"), "x", 4, 6), atMost("l", "", short, just("a/b"), "x", 4, 6)}
	if js := results("enqueue", "a/b", []float64{5}, []float64{1}).judge(); len(js) != 0 {
		t.Errorf("%+v", js)
	}
}

func TestARatioIsTakenWithinARound(t *testing.T) {
	res := &result{}
	for _, v := range []values{{"a/x": 10, "b/x": 1}, {"a/x": 200, "b/x": 100}, {"a/x": 3, "b/x": 1}} {
		res.add(&round{Scenario: "enqueue", Values: v, Fork: 1})
	}
	if s, _ := res.over("enqueue", times("a/x", "b/x")); s != (stat.Summary{Median: 3, Min: 2, Max: 10, N: 3}) {
		t.Errorf("%+v", s)
	}
}

func TestAChangeIsSaidOnlyWhenItIsLargeAndTheRangesAreApart(t *testing.T) {
	at := func(low, middle, high float64) judged {
		return judged{Summary: stat.Summary{Median: middle, Min: low, Max: high, N: 3}}
	}
	for _, c := range []struct {
		name          string
		before, after judged
		more          bool
		want          string
	}{
		{"20 % less of what should be much", at(9, 10, 11), at(7, 8, 8.5), true, "WORSE"},
		{"20 % less of what should be little", at(9, 10, 11), at(7, 8, 8.5), false, "better"},
		{"20 % more of what should be much", at(9, 10, 11), at(11.5, 12, 13), true, "better"},
		{"14 % and apart", at(9.9, 10, 10.1), at(8.5, 8.6, 8.7), true, ""},
		{"50 %, but ranges that touch", at(5, 10, 11), at(4, 5, 5), true, ""},
		{"from nothing to something", at(0, 0, 0), at(1, 1, 1), false, "WORSE"},
		{"nothing and nothing", at(0, 0, 0), at(0, 0, 0), false, ""},
	} {
		if got := change(c.before, c.after, c.more); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestComparingCountsWhatIsWorseAndLeavesOutWhatOnlyOneHas(t *testing.T) {
	goals = []goal{atLeast("up", "", enqueue, just("a/b"), "x", 4, 6), atMost("down", "", enqueue, just("a/b"), "x", 4, 6)}
	with := func(up, down float64) *result {
		one := func(key string, x float64) judged {
			return judged{Key: key, What: key, Summary: stat.Summary{Median: x, Min: x, Max: x, N: 3}}
		}
		return &result{Goals: []judged{one("up", up), one("down", down)}}
	}
	before := with(10, 10)
	before.Goals = append(before.Goals, judged{Key: "gone"})
	var out bytes.Buffer
	if n := compare(&out, before, with(5, 20)); n != 2 {
		t.Errorf("%d are worse:\n%s", n, &out)
	}
	out.Reset()
	if n := compare(&out, before, with(20, 5)); n != 0 || strings.Count(out.String(), "better") != 2 {
		t.Errorf("%d are worse:\n%s", n, &out)
	}
}

func TestTheOrderOfARoundBeginsWithAnotherOneEachTime(t *testing.T) {
	c := []contestant{{name: "a"}, {name: "b"}, {name: "c"}}
	var got []string
	for n := range 4 {
		text := ""
		for _, x := range order(c, n) {
			text += x.name
		}
		got = append(got, text)
	}
	if want := "abc bca cab abc"; strings.Join(got, " ") != want {
		t.Errorf("%v", got)
	}
}

func TestAReportReplacesOnlyWhatIsBetweenTheMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.md")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + reportBegins + "\nold\n" + reportEnds + "\nafter\n")
	for range 2 {
		if err := replace(file, reportBegins, reportEnds, []byte("new\n")); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(file); string(got) != "before\n"+reportBegins+"\nnew\n"+reportEnds+"\nafter\n" {
			t.Fatalf("%s", got)
		}
	}
	write("no marks")
	if err := replace(file, reportBegins, reportEnds, []byte("new\n")); err == nil {
		t.Error("a document without marks was rewritten")
	}
}

func TestSeveralRunsAreComparedAndTheLastIsShownWhole(t *testing.T) {
	goals = []goal{atLeast("k", "how much", enqueue, just("a/b"), "x", 4, 6), atBest("l", "how little", enqueue, just("a/b"), "x", 1)}
	run := func(commit string, x float64) *result {
		res := results("enqueue", "a/b", []float64{x, x, x}, []float64{1, 1, 1})
		res.Commit, res.Goals = commit, res.judge()
		return res
	}
	var text strings.Builder
	reportAll(&text, []*result{run("first", 3), {Commit: "growth"}, run("second", 5), run("third", 4)})
	for want, n := range map[string]int{"| 3x ": 1, "| 5x ": 1, "2 of 3": 1, "at growth": 1, "at third": 2, "at first": 1, "how little": 1} {
		if got := strings.Count(text.String(), want); got != n {
			t.Errorf("%q is there %d times, not %d:\n%s", want, got, n, &text)
		}
	}
}

func TestNoGoalComparesWithWhoIsMeasuredOnce(t *testing.T) {
	for _, g := range allGoals {
		sc := scenarios[slices.IndexFunc(scenarios, func(sc *scenario) bool { return sc.name == g.scenario })]
		if len(sc.once) == 0 {
			continue
		}
		v := values{}
		for _, name := range append([]string{"longhaul"}, sc.peers...) {
			for _, col := range sc.columns {
				if !slices.Contains(sc.once, name) {
					v[name+"/"+col.metric] = 1
				}
			}
		}
		if _, ok := g.figure(v); !ok {
			t.Errorf("%s compares with one of %v", g.key, sc.once)
		}
	}
}

func TestEveryGoalHasItsOwnKeyAndAScenarioThatIsRun(t *testing.T) {
	names := map[string]bool{}
	for _, sc := range scenarios {
		names[sc.name] = true
	}
	keys := map[string]bool{}
	for _, g := range allGoals {
		if keys[g.key] || !names[g.scenario] {
			t.Errorf("%s of %s", g.key, g.scenario)
		}
		keys[g.key] = true
		if g.least && g.stretch < g.pass || !g.least && g.stretch > g.pass {
			t.Errorf("the stretch goal of %s is less than the goal", g.key)
		}
	}
}

var allGoals = goals // before any test has others
