// Command worker runs Longhaul's executions. See worker --help.
package main

import (
	"os"

	"github.com/longhaul/longhaul/pkg/app"
	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/process"
	_ "github.com/longhaul/longhaul/pkg/process/calm"
)

func main() {
	process.Main() // a worker started as the watcher of one engine never comes back from here
	os.Exit(app.Service("worker", "runs the executions that Longhaul's API accepts",
		"REDIS_URL=redis://127.0.0.1:6379/0 MAX_CONCURRENT=5 worker", config.Worker, app.Worker))
}
