package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

// contexts are the servers that longhaul login has stored, in a file that only
// its owner may read, since it holds tokens.
type contexts struct {
	Current  string            `json:"current,omitempty"`
	Contexts map[string]server `json:"contexts"`
}

// server is one of them.
type server struct {
	URL   string `json:"url"`
	Token string `json:"token,omitempty"`
}

// contextsFile is where they are: LONGHAUL_CONFIG, else the usual place.
func contextsFile() (string, error) {
	if path := os.Getenv("LONGHAUL_CONFIG"); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for configuration (LONGHAUL_CONFIG names a file instead): %w", err)
	}
	return filepath.Join(dir, "longhaul", "config.json"), nil
}

func loadContexts() (*contexts, error) {
	c := &contexts{Contexts: map[string]server{}}
	path, err := contextsFile()
	if err != nil {
		return c, nil // no home: there are none
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the contexts: %w", err)
	}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%s is not what longhaul login writes: %w", path, err)
	}
	if c.Contexts == nil {
		c.Contexts = map[string]server{}
	}
	return c, nil
}

// save writes the file whole or not at all, for its owner alone.
func (c *contexts) save() error {
	path, err := contextsFile()
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return writeOwn(path, append(data, '\n'))
}

// writeOwn replaces a file by one that only its owner may read.
func writeOwn(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".longhaul-") // of mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (c *contexts) names() []string { return slices.Sorted(maps.Keys(c.Contexts)) }

func (c *contexts) get(name string) (server, error) {
	s, ok := c.Contexts[name]
	if !ok {
		return s, fmt.Errorf("there is no context %q; longhaul config ls lists them, longhaul login stores one", name)
	}
	return s, nil
}

const defaultURL = "http://127.0.0.1:8080"

// target is the server to talk to, and where each part of it was said.
type target struct {
	server
	context            string // "" where none was used
	urlFrom, tokenFrom string
}

// findTarget takes --context, else LONGHAUL_URL, else the current context, else
// the default. A stored token goes to no other URL than its own; LONGHAUL_TOKEN
// wins over it unless --context was given.
func findTarget(chosen string) (target, error) {
	c, err := loadContexts()
	if err != nil {
		return target{}, err
	}
	url, token := os.Getenv("LONGHAUL_URL"), os.Getenv("LONGHAUL_TOKEN")
	if chosen != "" {
		s, err := c.get(chosen)
		return target{s, chosen, "--context " + chosen, "--context " + chosen}, err
	}
	t := target{server: server{URL: defaultURL}, urlFrom: "the default", tokenFrom: "nowhere"}
	if c.Current != "" && (url == "" || url == c.Contexts[c.Current].URL) {
		if t.server, err = c.get(c.Current); err != nil {
			return t, err
		}
		t.context, t.urlFrom, t.tokenFrom = c.Current, "the context "+c.Current, "the context "+c.Current
	}
	if url != "" {
		t.URL, t.urlFrom = url, "LONGHAUL_URL"
	}
	if token != "" {
		t.Token, t.tokenFrom = token, "LONGHAUL_TOKEN"
	}
	return t, nil
}

func completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	c, err := loadContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return c.names(), cobra.ShellCompDirectiveNoFileComp
}
