package app

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/config"
)

// ask runs "<name> health" against port.
func ask(t *testing.T, role config.Role, port string) (code int, says string) {
	t.Helper()
	t.Setenv("HOST", "127.0.0.1")
	t.Setenv("PORT", port)
	t.Setenv("WORKER_PORT", port)
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:9") // must not be asked
	var out, errs bytes.Buffer
	code = service(t.Context(), "api", "", "", role, []string{"health"}, &out, &errs, nil)
	return code, out.String() + errs.String()
}

func TestHealthAsksTheProcessOfThisContainer(t *testing.T) {
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			t.Errorf("it asks %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	for _, role := range []config.Role{config.API, config.Worker} {
		status = http.StatusOK
		if code, says := ask(t, role, port); code != exitOK || says != "" {
			t.Errorf("well: %d %s", code, says)
		}
		status = http.StatusInternalServerError
		if code, says := ask(t, role, port); code != exitFailed || !strings.Contains(says, "500") {
			t.Errorf("not well: %d %s", code, says)
		}
	}
	srv.Close()
	if code, says := ask(t, config.Worker, port); code != exitFailed || !strings.Contains(says, "WORKER_PORT") {
		t.Errorf("nobody there: %d %s", code, says)
	}
	if code, says := ask(t, config.Worker, ""); code != exitFailed || !strings.Contains(says, "set WORKER_PORT") {
		t.Errorf("a worker without a port: %d %s", code, says)
	}
}
