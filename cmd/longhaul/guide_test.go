package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

const guide = "../../docs/cli.md"

func TestTheGuideIsWhatTheCommandsSay(t *testing.T) {
	t.Setenv("RAILWAY_ENVIRONMENT_ID", "") // a default of autoscale's
	var b strings.Builder
	b.WriteString("# The command line\n\n" +
		"Made of the commands' own help by `go test ./cmd/longhaul -run Guide -update`. `make build` makes `bin/longhaul`;\n" +
		"`longhaul completion bash` (or zsh, fish, powershell) prints what completes commands, flags and live ids.\n\n")
	c := root()
	c.InitDefaultCompletionCmd()
	fmt.Fprintf(&b, "%s\n", c.Long)
	for _, g := range c.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, sub := range c.Commands() {
			if sub.GroupID == g.ID {
				describe(t, &b, sub)
			}
		}
	}
	if *update {
		if err := os.WriteFile(guide, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(guide)
	if err != nil || string(have) != b.String() {
		t.Errorf("docs/cli.md is out of date: run go test ./cmd/longhaul -run Guide -update (%v)", err)
	}
}

// describe writes one command, and those below it. Each must have an example.
func describe(t *testing.T, b *strings.Builder, c *cobra.Command) {
	if c.Example == "" || c.Short == "" {
		t.Errorf("%s has no example, or says nothing", c.CommandPath())
	}
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n```sh\n%s\n```\n", c.CommandPath(), about, unindent(c.Example))
	if c.HasAvailableLocalFlags() {
		b.WriteString("\n| flag | meaning |\n|---|---|\n")
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				fmt.Fprintf(b, "| %s | %s |\n", flagWord(f), strings.ReplaceAll(f.Usage, "|", `\|`))
			}
		})
	}
	for _, sub := range c.Commands() {
		describe(t, b, sub)
	}
}

func flagWord(f *pflag.Flag) string {
	word := "`--" + f.Name + "`"
	if f.Shorthand != "" {
		word = "`-" + f.Shorthand + "`, " + word
	}
	if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
		word += " (`" + f.DefValue + "`)"
	}
	return word
}

func unindent(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.TrimPrefix(strings.TrimRight(line, "\n"), "  "))
	}
	return strings.Join(lines, "\n")
}
