package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/longhaul/longhaul/bench/stat"
)

// A table is written as Markdown that can be read on a terminal too.
type table [][]string // the first row is its head

func (t table) write(w io.Writer) {
	if len(t) < 2 {
		return
	}
	width := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range t {
		for i, cell := range row {
			fmt.Fprint(w, "| ", cell, strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)+1))
		}
		fmt.Fprintln(w, "|")
		if n == 0 {
			for _, k := range width {
				fmt.Fprint(w, "|", strings.Repeat("-", k+2))
			}
			fmt.Fprintln(w, "|")
		}
	}
}

// number has three digits that count.
func number(f float64) string {
	switch a := math.Abs(f); {
	case a >= 10_000:
		return thousands(f)
	case a >= 100 || f == math.Trunc(f):
		return fmt.Sprintf("%.0f", f)
	case a >= 10:
		return fmt.Sprintf("%.1f", f)
	case a >= 1:
		return fmt.Sprintf("%.2f", f)
	}
	return fmt.Sprintf("%.3f", f)
}

// thousands sets commas.
func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func show(s stat.Summary) string {
	if s.N == 1 || s.Min == s.Max {
		return number(s.Median)
	}
	return fmt.Sprintf("%s [%s to %s]", number(s.Median), number(s.Min), number(s.Max))
}

// table of one scenario: a row for each system, with medians and ranges.
func (res *result) table(sc *scenario) table {
	head := []string{"system"}
	for _, c := range sc.columns {
		head = append(head, c.title)
	}
	t := table{head}
	for _, system := range res.systems(sc.name) {
		row := []string{system}
		for _, c := range sc.columns {
			cell := ""
			if s, ok := res.summary(sc.name, system+"/"+c.metric); ok {
				cell = show(s)
			}
			row = append(row, cell)
		}
		if strings.Join(row[1:], "") != "" {
			t = append(t, row)
		}
	}
	return t
}

// systems are those with figures in a scenario: Longhaul first, the machine's limits last.
func (res *result) systems(scenario string) []string {
	seen := map[string]bool{}
	for _, rd := range res.Rounds {
		if rd.Scenario == scenario {
			for key := range rd.Values {
				name, _, _ := strings.Cut(key, "/")
				seen[name] = true
			}
		}
	}
	rank := map[string]int{"longhaul": -1, "limit": 1}
	return slices.SortedFunc(maps.Keys(seen), func(a, b string) int {
		if rank[a] != rank[b] {
			return rank[a] - rank[b]
		}
		return strings.Compare(a, b)
	})
}

// loads says how busy the machine was in the rounds of a scenario.
func (res *result) loads(scenario string) string {
	var kept, gone []string
	for _, rd := range res.Rounds {
		if rd.Scenario != scenario {
			continue
		}
		text := fmt.Sprintf("%.1f to %.1f", rd.LoadBefore, rd.LoadAfter)
		if rd.Disturbed {
			gone = append(gone, text)
		} else {
			kept = append(kept, text)
		}
	}
	text := fmt.Sprintf("%d rounds, load average %s", len(kept), strings.Join(kept, ", "))
	switch {
	case len(kept) == 0:
		text = "ALL ROUNDS WERE DISTURBED, and say little: load average " + strings.Join(gone, ", ")
	case len(gone) > 0:
		text += fmt.Sprintf("; %d disturbed and discarded, load average %s", len(gone), strings.Join(gone, ", "))
	}
	return text
}

func goalTable(js []judged) table {
	t := table{{"goal", "measured", "pass", "stretch", "the machine's limit", "verdict"}}
	for _, j := range js {
		verdict, limit := j.Verdict, ""
		if j.Limit != nil {
			limit = number(*j.Limit)
		}
		if j.Reached {
			verdict += ", stretch too"
		}
		t = append(t, []string{j.What, j.with(show(j.Summary)), j.Bound, j.Stretch, limit, verdict})
	}
	return t
}

// with puts the unit to figures of a goal.
func (j judged) with(figures string) string {
	switch {
	case j.Unit == "x" && strings.HasSuffix(figures, "]"):
		return strings.ReplaceAll(figures, " [", "x [")
	case j.Unit == "x":
		return figures + "x"
	case j.Unit != "":
		return figures + " " + j.Unit
	}
	return figures
}

// runsTable has the medians of several runs side by side: what one run passes by luck, most of them do not.
func runsTable(runs []*result) table {
	head := []string{"goal", "pass"}
	for _, res := range runs {
		head = append(head, res.Started.Format("15:04")+" at "+res.Commit)
	}
	t := table{append(head, "passed")}
	for _, g := range goals {
		if math.IsInf(g.pass, 1) {
			continue
		}
		row, passed := []string{g.what, g.bound(g.pass)}, 0
		for _, res := range runs {
			i := slices.IndexFunc(res.Goals, func(j judged) bool { return j.Key == g.key })
			if i < 0 {
				row = append(row, "")
				continue
			}
			j := res.Goals[i]
			row = append(row, j.with(number(j.Median)))
			if j.Verdict == "PASS" {
				passed++
			}
		}
		t = append(t, append(row, fmt.Sprintf("%d of %d", passed, len(runs))))
	}
	return t
}

// write is the whole of a result, for people.
func (res *result) write(w io.Writer) {
	for _, sc := range scenarios {
		if res.tried(sc.name) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s\n(%s)\n\n", sc.name, sc.what, res.loads(sc.name))
		res.table(sc).write(w)
	}
	for _, name := range slices.Sorted(maps.Keys(res.Skipped)) {
		fmt.Fprintf(w, "\nskipped %s: %s\n", name, res.Skipped[name])
	}
	for _, rd := range res.Rounds {
		for name, why := range rd.Failures {
			fmt.Fprintf(w, "\nFAILED: %s in round %d of %s: %s\n", name, rd.Number, rd.Scenario, why)
		}
	}
	if len(res.Goals) > 0 {
		fmt.Fprintln(w)
		goalTable(res.Goals).write(w)
		fmt.Fprintln(w, "\nmedian [min to max]; a question mark: fewer than three undisturbed rounds")
	}
}
