package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// format is what -o says.
type format string

const (
	asTable format = "table"
	asJSON  format = "json"
	asLines format = "jsonl"
)

func (f *format) flag(c *cobra.Command) {
	*f = asTable
	c.Flags().VarP(f, "output", "o", "table for people; json: the server's answer; jsonl: a line of JSON for each")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "jsonl"}, cobra.ShellCompDirectiveNoFileComp)) // fails only without such a flag
}

// String, Set and Type make it a flag.
func (f *format) String() string { return string(*f) }

// Set implements pflag.Value.
func (f *format) Set(s string) error {
	switch v := format(s); v {
	case asTable, asJSON, asLines:
		*f = v
		return nil
	}
	return fmt.Errorf("must be table, json or jsonl")
}

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

// listing is one answer in all its forms.
type listing struct {
	whole any   // for json
	each  []any // for jsonl
	head  []string
	rows  [][]string
	none  string // said to people where there is no row
}

func (f format) print(c *cobra.Command, l listing) error {
	out := c.OutOrStdout()
	switch f {
	case asJSON:
		return writeJSON(out, l.whole, "  ")
	case asLines:
		for _, v := range l.each {
			if err := writeJSON(out, v, ""); err != nil {
				return err
			}
		}
		return nil
	}
	if len(l.rows) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), l.none)
		return nil
	}
	_, err := lipgloss.Fprintln(out, grid(l.head, l.rows, widthOf(out)))
	return err
}

func writeJSON(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(w)
	e.SetIndent("", indent)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// each makes the lines of jsonl.
func each[T any](list []T) []any {
	all := make([]any, len(list))
	for i := range list {
		all[i] = list[i]
	}
	return all
}

// allOf is an answer about what was named: one is said as itself, several as a list.
func allOf[T any](list []T) listing {
	l := listing{whole: list, each: each(list)}
	if len(list) == 1 {
		l.whole = list[0]
	}
	return l
}

// grid sets rows out in columns. What is wider than the terminal is cut off at
// the right, where the longest texts are.
func grid(head []string, rows [][]string, width int) string {
	t := table.New().Rows(rows...).Wrap(false).Border(lipgloss.HiddenBorder()).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).BorderHeader(false).BorderColumn(false).
		StyleFunc(func(row, col int) lipgloss.Style {
			s := lipgloss.NewStyle()
			if col < len(head)-1 {
				s = s.PaddingRight(2)
			}
			if row == table.HeaderRow {
				return s.Faint(true)
			}
			return s
		})
	if strings.Join(head, "") != "" {
		t.Headers(head...)
	}
	var b strings.Builder
	for line := range strings.Lines(t.String()) {
		line = strings.TrimRight(line, " \n")
		if width > 0 {
			line = lipgloss.NewStyle().MaxWidth(width).Render(line)
		}
		b.WriteString(line + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// widthOf is 0 where w is no terminal.
func widthOf(w io.Writer) int {
	if f, ok := w.(*os.File); ok && isTerminal(w) {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			return n
		}
	}
	return 0
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
