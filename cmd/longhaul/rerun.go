package main

import (
	"context"
	"errors"
	"maps"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

func rerunCommand() *cobra.Command {
	var r request
	var w watching
	c := &cobra.Command{
		Use:   "rerun [flags] ID [-- ARG...]",
		Short: "Start an execution again, as it was or with changes, and watch it to its end",
		Long: `Start an execution again, as it was or with changes, and watch it to its end. What
is given here replaces what it had: arguments after --, and each flag as in
longhaul run. Variables and files that it had are kept.`,
		Example: `  longhaul rerun @last
  longhaul rerun --timeout 3h vqx7
  longhaul rerun --param time_period=month @last
  longhaul rerun @last -- src/main.py voice-of-customer --test-mode`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			dash := c.ArgsLenAtDash()
			if dash > 1 || dash < 0 && len(args) > 1 {
				return errors.New("give one ID, and new arguments after --")
			}
			if dash == 1 {
				r.Args = args[1:]
			}
			to, id, err := connectTo(c, args[0])
			if err != nil {
				return err
			}
			if err := to.fillRerun(c, id, &r); err != nil {
				return err
			}
			return w.startAndWatch(c, to, func(ctx context.Context) (*api.Started, error) {
				return to.Rerun(ctx, id, r.StartRequest, "")
			})
		},
	}
	r.flags(c)
	w.flags(c)
	return c
}

// fillRerun makes the changes. What takes the place of a map takes that of all
// of it, so the old params, labels and variables stand below the new ones.
func (to *connection) fillRerun(c *cobra.Command, id execution.ID, r *request) error {
	old, err := to.Spec(c.Context(), id)
	if err != nil {
		return to.withHint(err)
	}
	given := maps.Clone(r.Labels)
	if len(r.param) > 0 && r.params == "" {
		r.Params = old.Params
	}
	err = r.fill(c.InOrStdin(), func() (map[string]string, error) { return to.kinds(c.Context(), old.Engine) })
	if err != nil {
		return err
	}
	r.Labels, r.Env = over(old.Labels, given), over(old.Env, r.Env)
	return nil
}

// over is old with the values of change; nil where nothing changes.
func over(old, change map[string]string) map[string]string {
	if len(change) == 0 {
		return nil
	}
	all := maps.Clone(change)
	for k, v := range old {
		if _, ok := change[k]; !ok {
			all[k] = v
		}
	}
	return all
}
