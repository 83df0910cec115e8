package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
)

func enginesCommand() *cobra.Command {
	var f format
	c := &cobra.Command{
		Use: "engines [NAME]", Short: "List what can be run, or the parameters of one engine",
		Example: "  longhaul engines\n  longhaul engines voice-of-customer",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: completeEngines,
		RunE: func(c *cobra.Command, args []string) error {
			to, err := connect(c)
			if err != nil {
				return err
			}
			list, err := to.Engines(c.Context())
			if err != nil {
				return to.withHint(err)
			}
			if len(args) == 0 {
				return f.print(c, tableOfEngines(list))
			}
			i := slices.IndexFunc(list.Engines, func(e api.Engine) bool { return e.Name == args[0] })
			if i < 0 {
				return fmt.Errorf("there is no engine %s (longhaul engines lists them)", args[0])
			}
			return f.print(c, paramsOf(&list.Engines[i]))
		},
	}
	f.flag(c)
	return c
}

func tableOfEngines(list *api.Engines) listing {
	l := listing{whole: list, each: each(list.Engines), head: []string{"NAME", "START WITH", "DESCRIPTION"}, none: "longhaul: the catalog is empty (engines.yaml)"}
	for _, e := range list.Engines {
		how := "--engine " + e.Name
		if e.Kind == "command" {
			how = "-- " + e.Name
		}
		l.rows = append(l.rows, []string{e.Name, how, e.Description})
	}
	return l
}

// paramsOf are an engine's parameters, as its schema has them.
func paramsOf(e *api.Engine) listing {
	var schema struct {
		Required   []string
		Properties map[string]struct {
			Title, Description string
			Type               any
			Enum               []any
			Default            any
		}
	}
	_ = json.Unmarshal(e.Params, &schema) // null, or a schema of another kind: no table
	l := listing{whole: e, each: []any{e}, head: []string{"PARAM", "VALUES", "DEFAULT", "DESCRIPTION"}, none: "longhaul: " + e.Name + " takes no parameters"}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		p := schema.Properties[name]
		values := fmt.Sprint(p.Type)
		if len(p.Enum) > 0 {
			values = strings.ReplaceAll(strings.Trim(fmt.Sprint(p.Enum), "[]"), " ", "|")
		} else if p.Type == nil {
			values = "any"
		}
		def := ""
		switch {
		case p.Default != nil:
			def = fmt.Sprint(p.Default)
		case slices.Contains(schema.Required, name):
			def = "required"
		}
		about := p.Description
		if about == "" {
			about = p.Title
		}
		l.rows = append(l.rows, []string{name, values, def, about})
	}
	return l
}
