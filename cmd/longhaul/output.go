package main

import (
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
)

func outputCommand() *cobra.Command {
	var f format
	c := &cobra.Command{
		Use:   "output ID",
		Short: "Print the result that an engine gave: the JSON of its EXECUTION_RESULT_FILE",
		Long: `Print the result that an engine gave: the JSON of its EXECUTION_RESULT_FILE. What it
printed is longhaul logs; the files that it left, longhaul artifacts.`,
		Example: `  longhaul output @last
  longhaul output @last | jq .answer
  longhaul output -o json @last`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			to, id, err := connectTo(c, args[0])
			if err != nil {
				return err
			}
			page, err := to.Output(c.Context(), id, client.OutputQuery{Limit: 1})
			if err != nil {
				return to.withHint(err)
			}
			none := len(page.Result) == 0 || string(page.Result) == "null"
			switch {
			case f == asTable && none && !page.Status.Terminal():
				return errors.New("there is no result yet: it is " + string(page.Status) + " (longhaul wait)")
			case f == asTable && none:
				return errors.New("it gave no result; longhaul logs has what it printed, longhaul artifacts ls what it left")
			case f == asTable:
				return writeJSON(c.OutOrStdout(), page.Result, "  ")
			}
			whole := struct {
				ID         any             `json:"execution_id"`
				Status     any             `json:"status"`
				ReturnCode *int            `json:"return_code"`
				Result     json.RawMessage `json:"result"`
				Artifacts  []api.Artifact  `json:"artifacts"`
			}{id, page.Status, page.ReturnCode, page.Result, page.Artifacts}
			return f.print(c, listing{whole: whole, each: []any{whole}})
		},
	}
	f.flag(c)
	return c
}
