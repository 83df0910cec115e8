package e2e

import (
	"strconv"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/test/rig"
)

// A start has no collection of garbage; what runs has the usual ones, or those that GOGC asks for.
func TestTheCollectorThatWaitsForTheStartIsAsUsualSoon(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	percent := func(p proc) string {
		_, metrics := p.do("GET", "/metrics", "")
		_, after, _ := strings.Cut(metrics, "\ngo_gc_gogc_percent ")
		value, _, _ := strings.Cut(after, "\n")
		return value
	}
	port := redistest.FreePort(t)
	s.worker("WORKER_PORT=" + strconv.Itoa(port))
	for what, p := range map[string]proc{"API": s.api(), "worker": {&rig.Proc{T: t, URL: "http://127.0.0.1:" + strconv.Itoa(port)}}} {
		s.Eventually("the collector of the "+what+" is as usual", func() bool { return percent(p) == "100" })
	}
	if got := percent(s.api("GOGC=50")); got != "50" {
		t.Errorf("GOGC=50 became %s", got)
	}
}
