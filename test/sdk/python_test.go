package sdk

import (
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/longhaul/longhaul/test/rig"
)

func TestThePythonClientAgainstTheSystem(t *testing.T) {
	t.Parallel()
	rig.Need(t, "LONGHAUL_REQUIRE_PYTHON", "python3")
	s := newStage(t)
	api, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	edge := httputil.NewSingleHostReverseProxy(api)
	edge.FlushInterval = -1 // as an edge that buffers nothing
	tls := httptest.NewTLSServer(edge)
	t.Cleanup(tls.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s.vars = []string{"LONGHAUL_TEST_TLS_URL=" + tls.URL, "LONGHAUL_TEST_TLS_CA=" + ca}
	s.suite("sdk/python", "python3", "-W", "error", "-m", "unittest", "discover", "-v", "-s", ".", "-t", ".")
	s.mustHaveCut(20, 5)
}
