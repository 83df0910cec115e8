package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/spf13/cobra"
)

// worthSaying is by how much a figure must differ, with ranges that have nothing in common.
const worthSaying = 0.15

const baseline = "bench/baseline.json"

func compareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Compare the goals' figures of two results; one that is worse by 15 %, with ranges apart, is an error",
		Example: `  bench compare bench/baseline.json bench/results/20261122-101500-peers.json
  bench compare before.json after.json`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			before, err := loadResult(args[0])
			if err != nil {
				return err
			}
			after, err := loadResult(args[1])
			if err != nil {
				return err
			}
			if worse := compare(os.Stdout, before, after); worse > 0 {
				return fmt.Errorf("%d figures are worse", worse)
			}
			return nil
		},
	}
}

// compare shows all goals that both have, and says how many are worse.
func compare(w io.Writer, before, after *result) (worse int) {
	old := map[string]judged{}
	for _, j := range before.Goals {
		old[j.Key] = j
	}
	t := table{{"goal", "before", "after", "after/before", ""}}
	for _, j := range after.Goals {
		o, ok := old[j.Key]
		if !ok {
			continue
		}
		said := change(o, j, leastIsBound(j.Key))
		if said == "WORSE" {
			worse++
		}
		ratio := "" // of what is to be nothing, and was
		if o.Median != 0 {
			ratio = number(j.Median / o.Median)
		}
		t = append(t, []string{j.What, show(o.Summary), show(j.Summary), ratio, said})
	}
	t.write(w)
	return worse
}

// change is "", "better" or "WORSE". more says that more is better.
func change(before, after judged, more bool) string {
	differs := math.Abs(after.Median-before.Median) > worthSaying*math.Abs(before.Median)
	if !differs || !before.Apart(after.Summary) {
		return ""
	}
	if (after.Median > before.Median) == more {
		return "better"
	}
	return "WORSE"
}

func leastIsBound(key string) bool {
	for _, g := range goals {
		if g.key == key {
			return g.least
		}
	}
	return false
}

func acceptCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "accept RESULT",
		Short: "Keep the goals' figures of a result in " + baseline + ", for comparisons",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			res, err := loadResult(args[0])
			if err != nil {
				return err
			}
			data, err := json.MarshalIndent(&result{Machine: res.Machine, Started: res.Started, Commit: res.Commit, Goals: res.Goals}, "", " ")
			if err != nil {
				return err
			}
			return os.WriteFile(baseline, append(data, '\n'), 0o644)
		},
	}
}
