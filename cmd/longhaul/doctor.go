package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// finding is what doctor says of one thing.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, bad, or unknown
	Detail string `json:"detail"`
	Do     string `json:"do,omitempty"` // what to do about it
}

const (
	fine    = "ok"
	bad     = "bad"
	unknown = "unknown"
)

func doctorCommand() *cobra.Command {
	var f format
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check the way to the server and the server, and say what to do about what is wrong",
		Long: `Check the way to the server and the server, and say what to do about what is wrong:
address, token, version, Redis and the rest that it needs, workers, clocks, and
whether a proxy on the way holds streams up. It starts nothing. It ends with 125
when something is bad.`,
		Example: "  longhaul doctor\n  longhaul --context staging doctor -o jsonl | jq 'select(.state == \"bad\")'",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			chosen, _ := c.Flags().GetString("context") // a persistent flag of the root
			t, err := findTarget(chosen)
			if err != nil {
				return err
			}
			found := examine(c.Context(), t)
			l := listing{whole: found, each: each(found), head: []string{"", "", ""}}
			worst := fine
			for _, one := range found {
				l.rows = append(l.rows, []string{mark(one.State), one.Check, one.Detail})
				if one.Do != "" {
					l.rows = append(l.rows, []string{"", "", faint.Render("→ " + one.Do)})
				}
				if one.State == bad {
					worst = bad
				}
			}
			if err := f.print(c, l); err != nil {
				return err
			}
			if worst == bad {
				return exitCode(exitOurs)
			}
			return nil
		},
	}
	f.flag(c)
	return c
}

func mark(state string) string {
	switch state {
	case fine:
		return green.Render("✓")
	case bad:
		return red.Render("✗")
	}
	return yellow.Render("?")
}

// examine looks at one thing after the other, and ends where the next needs
// what is not there.
func examine(ctx context.Context, t target) []finding {
	d := &doctor{t: t}
	for _, look := range []func(context.Context) error{d.address, d.health, d.clock, d.version, d.token, d.ready, d.workers, d.streams} {
		one, cancel := context.WithTimeout(ctx, connectTimeout)
		err := look(one)
		cancel()
		if errors.Is(err, errNoFurther) {
			break
		}
	}
	return d.found
}

// errNoFurther ends the examination: what comes next would fail for the same reason.
var errNoFurther = errors.New("no further")

// doctor examines one server.
type doctor struct {
	t       target
	to      *connection
	found   []finding
	skew    time.Duration // of the server's clock before ours
	skewing bool          // it is known
}

func (d *doctor) say(check, state, do, format string, args ...any) {
	d.found = append(d.found, finding{check, state, fmt.Sprintf(format, args...), do})
}
