package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// What is between two such lines of a document is written by this program: series (of bench growth) between the
// second two, so that who has only others keeps them.
const (
	reportBegins = "<!-- bench report: from here -->"
	reportEnds   = "<!-- bench report: to here -->"
	growthBegins = "<!-- bench growth: from here -->"
	growthEnds   = "<!-- bench growth: to here -->"
)

func reportCommand() *cobra.Command {
	file := "docs/performance.md"
	c := &cobra.Command{
		Use:   "report RESULT...",
		Short: "Write the tables of results into docs/performance.md, so that no number is typed by hand",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var runs, grown []*result
			for _, name := range args {
				res, err := loadResult(name)
				if err != nil {
					return err
				}
				if len(res.Series) > 0 {
					grown = append(grown, res)
				} else {
					runs = append(runs, res)
				}
			}
			return errors.Join(rewrite(file, reportBegins, reportEnds, runs), rewrite(file, growthBegins, growthEnds, grown))
		},
	}
	c.Flags().StringVarP(&file, "output", "o", file, "the document with the marks between which the tables go")
	return c
}

// rewrite puts results, if there are any, between two marks.
func rewrite(file, begins, ends string, results []*result) error {
	if len(results) == 0 {
		return nil
	}
	var text bytes.Buffer
	reportAll(&text, results)
	return replace(file, begins, ends, text.Bytes())
}

// replace replaces what is between the marks.
func replace(file, begins, ends string, section []byte) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(begins+"\n"))
	_, after, too := bytes.Cut(rest, []byte(ends))
	if !ok || !too {
		return fmt.Errorf("%s has no lines %q and %q", file, begins, ends)
	}
	return os.WriteFile(file, slices.Concat(before, []byte(begins+"\n"), section, []byte(ends), after), 0o644)
}

// reportAll is several results in Markdown: of those with goals, how they compare and the last one whole.
func reportAll(w io.Writer, results []*result) {
	judging := slices.DeleteFunc(slices.Clone(results), func(res *result) bool { return len(res.Goals) == 0 })
	if len(judging) > 1 {
		fmt.Fprintf(w, "\n### Goals in %d runs\n\n", len(judging))
		runsTable(judging).write(w)
		fmt.Fprint(w, "\nThe median of each run. What follows is the last of them.\n")
	}
	for _, res := range results {
		if i := slices.Index(judging, res); i < 0 || i == len(judging)-1 {
			res.report(w)
		}
	}
}

// report is the result in Markdown.
func (res *result) report(w io.Writer) {
	fmt.Fprintf(w, "\nMeasured %s at %s on %s.\n", res.Started.Format("2006-01-02 15:04 MST"), res.Commit, res.Machine)
	if len(res.Goals) > 0 {
		fmt.Fprint(w, "\n### Goals\n\n")
		goalTable(res.Goals).write(w)
		fmt.Fprint(w, "\nMedian of the rounds [least to greatest]. A question mark: fewer than three undisturbed rounds. The machine's limit: what a system would have reached\n"+
			"in the same rounds that takes no more than the bare machine does (fork+exec, a program through a pipe and a socket, an Echo server that says hello, the pace of an engine, a PING).\n")
	}
	for _, sc := range scenarios {
		if res.tried(sc.name) == 0 {
			continue
		}
		what := strings.ToUpper(sc.what[:1]) + sc.what[1:]
		fmt.Fprintf(w, "\n### %s\n\n%s (%s).\n\n", sc.name, what, res.loads(sc.name))
		res.table(sc).write(w)
	}
	for _, x := range res.Series {
		fmt.Fprintf(w, "\n### %s\n\n", x.Name)
		x.table().write(w)
	}
	if len(res.Stacks) > 0 {
		fmt.Fprint(w, "\n### Versions, and what did not run\n\n")
	}
	for _, name := range slices.Sorted(maps.Keys(res.Stacks)) {
		fmt.Fprintf(w, "- %s: %s\n", name, res.Stacks[name])
	}
	for _, name := range slices.Sorted(maps.Keys(res.Skipped)) {
		fmt.Fprintf(w, "- %s was skipped: %s\n", name, res.Skipped[name])
	}
	for _, rd := range res.Rounds {
		for _, name := range slices.Sorted(maps.Keys(rd.Failures)) {
			fmt.Fprintf(w, "- %s failed in round %d of %s: %s\n", name, rd.Number, rd.Scenario, rd.Failures[name])
		}
	}
	fmt.Fprintln(w)
}
