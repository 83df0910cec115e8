package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/pkg/config"
)

// askTimeout is below the 5 s that a container's health check commonly gets.
const askTimeout = 3 * time.Second

// askHealth asks the process that serves in this container, so that an image
// needs no curl. It asks /health and not /ready: who is told "unhealthy" may
// restart the container, and Redis being away must not kill engines.
func askHealth(ctx context.Context, cfg *config.Config, role config.Role) error {
	port, setting := cfg.Port, "PORT"
	if role == config.Worker {
		port, setting = cfg.WorkerPort, "WORKER_PORT"
	}
	if port == 0 {
		return errors.New("there is no port to ask at: set " + setting)
	}
	host := cfg.Host
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost" // both families are tried
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	address := net.JoinHostPort(host, strconv.Itoa(port))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
	if err != nil {
		return err
	}
	// Not the default client: a proxy in the environment knows nothing of this container.
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return fmt.Errorf("nothing well at %s (the setting %s): %w", address, setting, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s/health answers %s", address, res.Status)
	}
	return nil
}
