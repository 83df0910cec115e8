package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// connection is a client, and what it is connected to.
type connection struct {
	*client.Client
	target
}

const connectTimeout = 10 * time.Second

// connect makes a client of the server to talk to, and sees that it is there:
// the client itself would wait for minutes, which is right in the middle of a
// deploy and wrong for a mistyped address.
func connect(c *cobra.Command) (*connection, error) {
	chosen, _ := c.Flags().GetString("context") // a persistent flag of the root
	t, err := findTarget(chosen)
	if err != nil {
		return nil, err
	}
	to, err := dial(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context(), connectTimeout)
	defer cancel()
	res, err := fetch(ctx, t, "/health", false)
	if err != nil {
		return nil, fmt.Errorf("no server at %s (from %s): %w", t.URL, t.urlFrom, reason(err))
	}
	return to, res.Body.Close()
}

// connectTo connects, and finds the execution that a person means.
func connectTo(c *cobra.Command, word string) (*connection, execution.ID, error) {
	to, err := connect(c)
	if err != nil {
		return nil, "", err
	}
	id, err := to.resolve(c.Context(), word)
	return to, id, err
}

// dial is connect without looking.
func dial(t target) (*connection, error) {
	c, err := client.New(t.URL, t.Token, client.Options{UserAgent: "longhaul-cli"})
	if err != nil {
		return nil, fmt.Errorf("%w (from %s)", err, t.urlFrom)
	}
	return &connection{c, t}, nil
}

// fetch asks for a path without trying again.
func fetch(ctx context.Context, t target, path string, withToken bool) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.path(path), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "longhaul-cli")
	if withToken && t.Token != "" {
		req.Header.Set("Authorization", "Bearer "+t.Token)
	}
	return http.DefaultClient.Do(req)
}

func (t target) path(p string) string { return strings.TrimSuffix(t.URL, "/") + p }

// consoleURL is the page of an execution.
func (t target) consoleURL(id execution.ID) string {
	if id == "" {
		return t.path("/console")
	}
	return t.path("/console/executions/" + string(id))
}

// reason leaves out the method and the URL, which were said.
func reason(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// withHint adds what to do about an answer.
func (to *connection) withHint(err error) error {
	if execution.CodeOf(err) != execution.Unauthorized {
		return err
	}
	return fmt.Errorf("%w (the token is from %s; set LONGHAUL_TOKEN, or store one with longhaul login)", err, to.tokenFrom)
}
