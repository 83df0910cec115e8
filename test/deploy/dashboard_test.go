package deploy

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

// exposed gives what /metrics has once everything has happened: name to labels.
func exposed(t *testing.T) map[string][]string {
	t.Helper()
	m := telemetry.NewMetrics("v1")
	m.Request("/health", "GET", 200, time.Second)
	m.Started("agent", time.Second)
	m.Ended("agent", execution.Completed, execution.ReasonExited, time.Second)
	m.LogBytes(1)
	m.Append(time.Millisecond)
	m.Check("redis", true)
	m.Subscribers(func() int { return 1 })
	m.Collect(func(context.Context) (execution.QueueStats, error) { return execution.QueueStats{Lines: map[string]execution.Line{"default": {}}}, nil })
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	all := map[string][]string{}
	for line := range strings.Lines(w.Body.String()) {
		if name := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*`).FindString(line); name != "" {
			labels := []string{"instance", "job"} // Prometheus' own
			for _, l := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(line, -1) {
				labels = append(labels, l[1])
			}
			all[name] = labels
		}
	}
	return all
}

func TestTheDashboardShowsMetricsThatThereAre(t *testing.T) {
	var d struct {
		UID    string
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(read(t, "deploy", "grafana", "dashboards", "longhaul.json"), &d); err != nil {
		t.Fatal(err)
	}
	have, shown := exposed(t), map[string]bool{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			names := regexp.MustCompile(`\b(longhaul|process|go)_[a-z_]+`).FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s asks for nothing of ours: %s", p.Title, target.Expr)
			}
			var labels []string
			for _, name := range names {
				if have[name] == nil {
					t.Errorf("%s asks for %s, which nobody exposes", p.Title, name)
				}
				shown[name] = true
				labels = append(labels, have[name]...)
			}
			used := regexp.MustCompile(`{{([a-z_]+)}}`).FindAllStringSubmatch(target.LegendFormat, -1)
			for _, by := range regexp.MustCompile(`by \(([a-z_, ]+)\)`).FindAllStringSubmatch(target.Expr, -1) {
				for l := range strings.SplitSeq(by[1], ",") {
					used = append(used, []string{"", strings.TrimSpace(l)})
				}
			}
			for _, l := range used {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s: %v have no label %s", p.Title, names, l[1])
				}
			}
		}
	}
	for name := range have {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "longhaul_") && !shown[name] && !shown[base+"_bucket"] {
			t.Errorf("no panel shows %s", name)
		}
	}
}
