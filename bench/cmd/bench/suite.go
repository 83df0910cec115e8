package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/bench/peers"
)

func peersCommand() *cobra.Command {
	p := &plan{peers: []string{"all"}, brief: true}
	install := true
	c := &cobra.Command{
		Use:   "peers",
		Short: "Do all scenarios with all systems, and judge every goal (15 minutes)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if install {
				installPeers(cmd.Context())
			}
			res, err := p.run(cmd.Context(), scenarios, "peers")
			if err == nil {
				res.unmeasured()
			}
			return err
		},
	}
	p.flags(c)
	c.Flags().BoolVar(&install, "install", true, "install what the other systems need, from Debian, npm and the Go proxy")
	return c
}

// installPeers brings what it can; what is missing all the same is skipped, and said.
func installPeers(ctx context.Context) {
	for _, p := range peers.All() {
		if p.Missing(ctx) == "" {
			continue
		}
		fmt.Println("installing what", p.Name, "needs")
		if err := p.Install(ctx, os.Stderr); err != nil {
			fmt.Println(err)
		}
	}
}

// unmeasured says which goals have no figure.
func (res *result) unmeasured() {
	judged := map[string]bool{}
	for _, j := range res.Goals {
		judged[j.Key] = true
	}
	for _, g := range goals {
		if !judged[g.key] {
			fmt.Println("NOT MEASURED:", g.what)
		}
	}
}
