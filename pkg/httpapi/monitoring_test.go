package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/httpapi"
)

func TestTheWayToTheDashboardIsToldToThoseWithAToken(t *testing.T) {
	w := newWorld(t)
	if p, _ := w.problem(404, "GET", "/monitoring", ""); !strings.Contains(p.Detail, "MONITORING_URL") || !strings.Contains(p.Detail, "make monitoring") {
		t.Errorf("%s", p.Detail)
	}
	w = newWorld(t, func(o *httpapi.Options) { o.MonitoringURL = "https://monitoring.example" })
	w.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if res := w.do("GET", "/monitoring", ""); res.StatusCode != http.StatusFound || res.Header.Get("Location") != "https://monitoring.example" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if _, h := w.problem(401, "GET", "/monitoring", "", "Authorization", ""); h.Get("Location") != "" {
		t.Error("a stranger learns where it is")
	}
}
