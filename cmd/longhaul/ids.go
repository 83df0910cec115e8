package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// last is the word for the execution that was last started from here.
const last = "@last"

const (
	leastPrefix = 4  // so that a slip of the finger names nothing
	mostLooks   = 20 // at a page each, to find the one that a prefix means; the server looks at some thousands for each
	pageSize    = 200
)

// resolve finds the execution that a person means.
func (to *connection) resolve(ctx context.Context, word string) (execution.ID, error) {
	if word == last {
		if id := recall(to.URL); id != "" {
			return id, nil
		}
		return "", fmt.Errorf("%s is the last execution that was started from here with longhaul run, and there is none for %s yet (longhaul ls lists all)", last, to.URL)
	}
	if id, err := execution.ParseID(word); err == nil {
		return id, nil
	}
	if len(strings.TrimPrefix(word, "exec_")) < leastPrefix {
		return "", fmt.Errorf("%q is no id: give all of one, %d characters of its beginning or of its last part, or %s", word, leastPrefix, last)
	}
	found, err := to.search(ctx, word)
	switch {
	case err != nil:
		return "", to.withHint(err)
	case len(found) == 0:
		return "", fmt.Errorf("no execution has an id that begins with %q, or whose last part does (longhaul ls)", word)
	case len(found) > 1:
		return "", fmt.Errorf("%q is not one execution but several: %s", word, strings.Join(found, ", "))
	}
	return execution.ID(found[0]), nil
}

// search lists up to five ids that word is the beginning of, or of whose last part.
func (to *connection) search(ctx context.Context, word string) (found []string, err error) {
	q := client.ListQuery{Text: word, Limit: pageSize}
	for range mostLooks {
		page, err := to.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Executions {
			id := string(page.Executions[i].ID)
			if matches(id, word) && len(found) < 5 {
				found = append(found, id)
			}
		}
		if page.NextCursor == nil {
			break
		}
		q.Cursor = *page.NextCursor
	}
	return found, nil
}

// matches: an id is exec_<milliseconds>_<nine characters>.
func matches(id, word string) bool {
	rest := strings.TrimPrefix(id, "exec_")
	_, random, _ := strings.Cut(rest, "_")
	return strings.HasPrefix(id, word) || strings.HasPrefix(rest, word) || strings.HasPrefix(random, word)
}

// lastFile remembers for each server what was last started there.
func lastFile() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "longhaul", "last.json"), nil
}

func recallAll() map[string]execution.ID {
	all := map[string]execution.ID{}
	if path, err := lastFile(); err == nil {
		if data, err := os.ReadFile(path); err == nil {
			_ = json.Unmarshal(data, &all) // what cannot be read is not known
		}
	}
	return all
}

func recall(url string) execution.ID { return recallAll()[url] }

// remember is a convenience: where it fails, @last is not known.
func remember(url string, id execution.ID) {
	all := recallAll()
	all[url] = id
	path, err := lastFile()
	if err != nil {
		return
	}
	if data, err := json.Marshal(all); err == nil {
		_ = writeOwn(path, data)
	}
}

// completeIDs offers the newest executions.
func completeIDs(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	const quietly = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	to, err := connect(c)
	if err != nil || len(args) > 0 {
		return nil, quietly
	}
	ctx, cancel := context.WithTimeout(c.Context(), 3*time.Second)
	defer cancel()
	page, err := to.List(ctx, client.ListQuery{Limit: 50})
	if err != nil {
		return nil, quietly
	}
	var ids []string
	for i := range page.Executions {
		e := &page.Executions[i]
		if matches(string(e.ID), word) {
			ids = append(ids, fmt.Sprintf("%s\t%s, %s, %s ago", e.ID, e.Status, nameOf(e), ago(e.CreatedAt.Time)))
		}
	}
	return ids, quietly
}

// nameOf is what a person calls it.
func nameOf(e *api.Execution) string {
	if e.Engine != nil {
		return *e.Engine
	}
	if e.Command != nil {
		return *e.Command
	}
	return "-"
}
