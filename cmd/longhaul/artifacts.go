package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

func artifactsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "artifacts",
		Short: "List and fetch the files that an engine left",
		Example: `  longhaul artifacts ls @last
  longhaul artifacts get @last`,
	}
	c.AddCommand(artifactsLsCommand(), artifactsGetCommand())
	return c
}

func artifactsLsCommand() *cobra.Command {
	var f format
	c := &cobra.Command{
		Use: "ls ID", Short: "List the files that an engine left",
		Example: "  longhaul artifacts ls @last\n  longhaul artifacts ls -o jsonl vqx7 | jq -r .path",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			_, _, list, err := artifactsOf(c, args[0])
			if err != nil {
				return err
			}
			l := listing{whole: list, each: each(list.Artifacts), head: []string{"SIZE", "TYPE", "PATH"}, none: "longhaul: it left no files"}
			for _, a := range list.Artifacts {
				l.rows = append(l.rows, []string{size(a.Size), a.ContentType, a.Path})
			}
			return f.print(c, l)
		},
	}
	f.flag(c)
	return c
}

// artifactsOf connects and lists.
func artifactsOf(c *cobra.Command, word string) (*connection, execution.ID, *api.Artifacts, error) {
	to, id, err := connectTo(c, word)
	if err != nil {
		return nil, "", nil, err
	}
	list, err := to.Artifacts(c.Context(), id)
	if err != nil {
		return nil, "", nil, to.withHint(err)
	}
	return to, id, list, nil
}

func artifactsGetCommand() *cobra.Command {
	var into string
	c := &cobra.Command{
		Use:   "get ID [PATH...]",
		Short: "Fetch the files that an engine left, all of them or those named",
		Long: `Fetch the files that an engine left, all of them or those named; a PATH may be a
pattern such as '*.csv'. They are put below the folder --into with their paths,
each whole or not at all. --into - writes one file to stdout.`,
		Example: `  longhaul artifacts get @last
  longhaul artifacts get --into results vqx7 'report/*.html'
  longhaul artifacts get --into - @last answer.json | jq .`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			to, id, list, err := artifactsOf(c, args[0])
			if err != nil {
				return err
			}
			files, err := wanted(list.Artifacts, args[1:])
			if err != nil {
				return err
			}
			if into == "-" {
				if len(files) != 1 {
					return fmt.Errorf("--into - is for one file; these are %d", len(files))
				}
				_, err := to.Download(c.Context(), id, files[0].Path, c.OutOrStdout())
				return err
			}
			if err := os.MkdirAll(into, 0o750); err != nil {
				return fmt.Errorf("--into: %w", err)
			}
			root, err := os.OpenRoot(into) // whatever a path says, nothing is written elsewhere
			if err != nil {
				return fmt.Errorf("--into: %w", err)
			}
			defer root.Close()
			for _, a := range files {
				if err := to.fetchInto(c.Context(), root, id, a.Path); err != nil {
					return err
				}
				fmt.Fprintf(c.ErrOrStderr(), "longhaul: %s (%s)\n", filepath.Join(into, filepath.FromSlash(a.Path)), size(a.Size))
			}
			return nil
		},
	}
	c.Flags().StringVar(&into, "into", ".", "the folder to put them in; -: stdout")
	return c
}

// wanted are the files that the patterns name; all, where there is none.
func wanted(all []api.Artifact, patterns []string) ([]api.Artifact, error) {
	if len(all) == 0 {
		return nil, errors.New("it left no files")
	}
	if len(patterns) == 0 {
		return all, nil
	}
	var files []api.Artifact
	for _, p := range patterns {
		found := slices.DeleteFunc(slices.Clone(all), func(a api.Artifact) bool {
			fits, err := path.Match(p, a.Path)
			return a.Path != p && (err != nil || !fits)
		})
		if len(found) == 0 {
			return nil, fmt.Errorf("it left no file %s (longhaul artifacts ls)", p)
		}
		files = append(files, found...)
	}
	return files, nil
}

// fetchInto writes to another name first, so that half a file is never taken for one.
func (to *connection) fetchInto(ctx context.Context, root *os.Root, id execution.ID, name string) (err error) {
	if err := root.MkdirAll(path.Dir(name), 0o750); err != nil {
		return err
	}
	part := name + ".part"
	w, err := root.Create(part)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(part)
		}
	}()
	_, err = to.Download(ctx, id, name, w)
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	return root.Rename(part, name)
}
