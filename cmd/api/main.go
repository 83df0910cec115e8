// Command api serves Longhaul's HTTP API. See api --help.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/longhaul/longhaul/pkg/app"
	"github.com/longhaul/longhaul/pkg/config"
	_ "github.com/longhaul/longhaul/pkg/process/calm"
)

func main() {
	os.Exit(app.Service("api", "the HTTP API of Longhaul",
		"API_TOKENS=$(openssl rand -hex 16) REDIS_URL=redis://127.0.0.1:6379/0 api", config.API,
		func(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
			return app.API(ctx, cfg, log, nil)
		}))
}
