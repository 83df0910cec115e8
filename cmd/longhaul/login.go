package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func loginCommand() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:   "login [URL]",
		Short: "Store a server and its token, so that no variable is needed",
		Long: `Store a server and its token under a name, and use it from now on. The token is
asked for, or read from stdin where that is no terminal; it is tried before it is
kept. The file is readable by you alone (longhaul config says where it is).`,
		Example: `  longhaul login https://longhaul.example.com
  longhaul login --name staging https://staging.example.com < token.txt
  longhaul --context staging ls`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			address := defaultURL
			if len(args) == 1 {
				address = strings.TrimSuffix(args[0], "/")
			}
			u, err := url.Parse(address)
			if err != nil || u.Host == "" {
				return errors.New("the URL must look like https://longhaul.example.com")
			}
			if name == "" {
				name = u.Hostname()
			}
			stored, err := loadContexts()
			if err != nil {
				return err
			}
			token, err := askToken(c)
			if err != nil {
				return err
			}
			s := server{URL: address, Token: token}
			if err := try(c.Context(), s); err != nil {
				return err
			}
			stored.Contexts[name], stored.Current = s, name
			if err := stored.save(); err != nil {
				return fmt.Errorf("store the context: %w", err)
			}
			fmt.Fprintf(c.ErrOrStderr(), "longhaul: %s is the context %s, and the one in use\n", address, name)
			if os.Getenv("LONGHAUL_URL") != "" {
				fmt.Fprintln(c.ErrOrStderr(), "longhaul: LONGHAUL_URL is set, and wins over it: unset LONGHAUL_URL LONGHAUL_TOKEN")
			}
			return nil
		},
	}
	c.Flags().StringVar(&name, "name", "", "what to call it; the host's name where nothing is said")
	return c
}

// askToken reads a token without showing it.
func askToken(c *cobra.Command) (string, error) {
	in := c.InOrStdin()
	var text []byte
	var err error
	if f, ok := in.(*os.File); ok && isTerminal(f) {
		fmt.Fprint(c.ErrOrStderr(), "Token (empty where the server has none): ")
		text, err = term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
	} else {
		text, err = io.ReadAll(io.LimitReader(in, 64<<10))
	}
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// try asks for what needs a token.
func try(ctx context.Context, s server) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	to, err := dial(target{server: s, urlFrom: "the command line", tokenFrom: "you"})
	if err != nil {
		return err
	}
	if _, err := to.Engines(ctx); err != nil {
		return fmt.Errorf("%s was asked with this token, and nothing is stored: %w", s.URL, err)
	}
	return nil
}
