package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// connect makes a client of the server that the environment names, and sees
// that it is there: the client itself would wait for minutes, which is right in
// the middle of a deploy and wrong for a mistyped address.
func connect(ctx context.Context) (*client.Client, error) {
	url := os.Getenv("LONGHAUL_URL")
	if url == "" {
		url = "http://127.0.0.1:8080"
	}
	c, err := client.New(url, os.Getenv("LONGHAUL_TOKEN"), client.Options{UserAgent: "longhaul-cli"})
	if err != nil {
		return nil, fmt.Errorf("LONGHAUL_URL: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/health", nil)
	if err != nil {
		return nil, fmt.Errorf("LONGHAUL_URL: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no server at %s (the variable LONGHAUL_URL): %w", url, errors.Unwrap(err))
	}
	return c, res.Body.Close()
}

const connectTimeout = 10 * time.Second

// follow prints an execution's output, each stream to its own, and returns its
// end event, or nil when ctx ended first.
func follow(ctx context.Context, c *client.Client, id execution.ID, stdout, stderr io.Writer) (*ending, error) {
	for e, err := range c.Stream(ctx, id, 0) {
		if err != nil {
			if ctx.Err() != nil {
				return nil, nil
			}
			return nil, err
		}
		switch e.Type {
		case execution.EventLog:
			var d api.LogData
			if err := json.Unmarshal(e.Data, &d); err != nil {
				return nil, fmt.Errorf("event %d: %w", e.Seq, err)
			}
			w := stdout
			if d.Stream == "stderr" {
				w = stderr
			}
			if _, err := w.Write(d.Bytes()); err != nil {
				return nil, fmt.Errorf("write the output: %w", err)
			}
		case execution.EventGap:
			fmt.Fprintf(stderr, "longhaul: a part of the log is no longer kept: %s\n", e.Data)
		case execution.EventEnd:
			end := &ending{}
			if err := json.Unmarshal(e.Data, end); err != nil {
				return nil, fmt.Errorf("event %d: %w", e.Seq, err)
			}
			return end, nil
		}
	}
	return nil, nil
}

// ending is what the command line needs of an end event.
type ending struct {
	Status     execution.Status `json:"status"`
	Message    string           `json:"error_message"`
	ReturnCode *int             `json:"return_code"`
}

// tell says to a person why it did not complete.
func (e *ending) tell(stderr io.Writer, id execution.ID) {
	if e.Status == execution.Completed {
		return
	}
	// The engine's last lines, which the message ends with, were just printed.
	why, _, _ := strings.Cut(e.Message, "; its last lines:")
	fmt.Fprintf(stderr, "longhaul: %s ended as %s: %s\n", id, e.Status, why)
}

// exit tells why it ended and gives scripts a code.
func (e *ending) exit(stderr io.Writer, id execution.ID) error {
	e.tell(stderr, id)
	switch e.Status {
	case execution.Timeout:
		return exitCode(exitTimeout)
	case execution.Cancelled:
		return exitCode(exitCancelled)
	case execution.Completed, execution.Failed:
		if e.ReturnCode == nil || *e.ReturnCode == 0 {
			return nil
		}
		return exitCode(*e.ReturnCode)
	case execution.Errored, execution.Queued, execution.Running:
	}
	return exitCode(exitOurs)
}

// refused turns an answer to a wrong request into its exit code.
func refused(err error, stderr io.Writer) error {
	if code := execution.CodeOf(err); code == execution.Invalid || code == execution.Forbidden {
		fmt.Fprintln(stderr, "longhaul:", err)
		return exitCode(exitNotAllowed)
	}
	var p *client.Problem
	if errors.As(err, &p) && execution.CodeOf(err) == execution.Unauthorized {
		return fmt.Errorf("%w (set LONGHAUL_TOKEN)", err)
	}
	return err
}
