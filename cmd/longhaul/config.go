package main

import (
	"cmp"
	"fmt"
	"maps"

	"github.com/spf13/cobra"
)

func configCommand() *cobra.Command {
	var f format
	c := &cobra.Command{
		Use:   "config",
		Short: "Say which server is used and where that was said, and choose another",
		Example: `  longhaul config
  longhaul config ls
  longhaul config use staging
  longhaul config rm staging`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			chosen, _ := c.Flags().GetString("context") // a persistent flag of the root
			t, err := findTarget(chosen)
			if err != nil {
				return err
			}
			path, err := contextsFile()
			if err != nil {
				return err
			}
			facts := map[string]string{
				"url": t.URL, "url_from": t.urlFrom, "token": masked(t.Token), "token_from": t.tokenFrom, "context": t.context, "file": path,
			}
			l := listing{whole: facts, each: []any{facts}, head: []string{"", ""}, rows: [][]string{
				{"server", t.URL + faint.Render(" from "+t.urlFrom)},
				{"token", masked(t.Token) + faint.Render(" from "+t.tokenFrom)},
				{"file", path},
			}}
			return f.print(c, l)
		},
	}
	f.flag(c)
	c.AddCommand(configLsCommand(), configUseCommand(), configRmCommand())
	return c
}

// masked says only whether there is a token.
func masked(token string) string {
	if token == "" {
		return "none"
	}
	return "***"
}

func configLsCommand() *cobra.Command {
	var f format
	c := &cobra.Command{
		Use: "ls", Short: "List the servers that longhaul login has stored", Example: "  longhaul config ls", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			stored, err := loadContexts()
			if err != nil {
				return err
			}
			shown := contexts{Current: stored.Current, Contexts: maps.Clone(stored.Contexts)}
			l := listing{whole: shown, head: []string{"", "NAME", "SERVER", "TOKEN"}, none: "longhaul: no contexts; longhaul login stores one"}
			for _, name := range stored.names() {
				s := stored.Contexts[name]
				s.Token = masked(s.Token)
				shown.Contexts[name] = s
				mark := ""
				if name == stored.Current {
					mark = "*"
				}
				l.each = append(l.each, map[string]any{"name": name, "url": s.URL, "current": mark != ""})
				l.rows = append(l.rows, []string{mark, name, s.URL, s.Token})
			}
			return f.print(c, l)
		},
	}
	f.flag(c)
	return c
}

func configUseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Use this server from now on", Example: "  longhaul config use staging",
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeContexts,
		RunE: func(c *cobra.Command, args []string) error {
			stored, err := loadContexts()
			if err != nil {
				return err
			}
			s, err := stored.get(args[0])
			if err != nil {
				return err
			}
			stored.Current = args[0]
			fmt.Fprintf(c.ErrOrStderr(), "longhaul: %s is in use now\n", s.URL)
			return stored.save()
		},
	}
}

func configRmCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "Forget a server and its token", Example: "  longhaul config rm staging",
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeContexts,
		RunE: func(c *cobra.Command, args []string) error {
			stored, err := loadContexts()
			if err != nil {
				return err
			}
			if _, err := stored.get(args[0]); err != nil {
				return err
			}
			delete(stored.Contexts, args[0])
			if stored.Current == args[0] {
				stored.Current = ""
			}
			fmt.Fprintf(c.ErrOrStderr(), "longhaul: forgotten; in use: %s\n", cmp.Or(stored.Current, "none"))
			return stored.save()
		},
	}
}
