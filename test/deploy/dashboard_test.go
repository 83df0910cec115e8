package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

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
	m.Requeued("agent", execution.ReasonInterrupted)
	m.Stored(1, time.Second)
	m.WarmStock("agent", 1, 1)
	m.WarmStart("agent", "warm")
	m.WarmRecycled("agent", "memory")
	m.RedisPing(time.Millisecond)
	m.Reaped("lost")
	m.ReaperRound(time.Now())
	m.Worker(func() telemetry.WorkerStats { return telemetry.WorkerStats{} })
	m.Append(time.Millisecond)
	m.Check("redis", true)
	m.Subscribers(func() int { return 1 })
	m.Collect(func(context.Context) (execution.QueueStats, error) {
		return execution.QueueStats{Lines: map[string]execution.Line{"default": {}}}, nil
	})
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

// askFor reports what an expression asks for that nobody exposes, by metric and
// by label, and gives the names of ours in it. legend may use labels too.
func askFor(t *testing.T, have map[string][]string, where, expr, legend string) []string {
	t.Helper()
	names := regexp.MustCompile(`\b(longhaul|process|go)_[a-z_]+`).FindAllString(expr, -1)
	if len(names) == 0 {
		t.Errorf("%s asks for nothing of ours: %s", where, expr)
	}
	var labels []string
	for _, name := range names {
		if have[name] == nil {
			t.Errorf("%s asks for %s, which nobody exposes", where, name)
		}
		labels = append(labels, have[name]...)
	}
	used := regexp.MustCompile(`{{ ?(?:\$labels\.)?([a-z_]+) ?}}`).FindAllStringSubmatch(legend, -1)
	used = append(used, regexp.MustCompile(`[{,]([a-z_]+)(?:=~|!~|!=|=)"`).FindAllStringSubmatch(expr, -1)...)
	for _, by := range regexp.MustCompile(`by ?\(([a-z_, ]+)\)`).FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(by[1], ",") {
			used = append(used, []string{"", strings.TrimSpace(l)})
		}
	}
	for _, l := range used {
		if !slices.Contains(labels, l[1]) && l[1] != "value" {
			t.Errorf("%s: %v have no label %s", where, names, l[1])
		}
	}
	return names
}

func TestTheAlertsWatchMetricsThatThereAre(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(read(t, "deploy", "prometheus", "longhaul.rules.yml")))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	have, seen := exposed(t), map[string]bool{}
	guide := string(read(t, "docs", "operations.md"))
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			askFor(t, have, r.Alert, r.Expr, strings.Join(slices.Collect(maps.Values(r.Annotations)), " "))
			if _, err := time.ParseDuration(r.For); err != nil {
				t.Errorf("%s: for: %v", r.Alert, err)
			}
			if s := r.Labels["severity"]; s != "page" && s != "ticket" || r.Annotations["summary"] == "" {
				t.Errorf("%s: severity %q, summary %q", r.Alert, s, r.Annotations["summary"])
			}
			if seen[r.Alert] || !strings.Contains(guide, "`"+r.Alert+"`") {
				t.Errorf("%s is there twice, or docs/operations.md does not say what to do", r.Alert)
			}
			seen[r.Alert] = true
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d alerts", len(seen))
	}
	for _, name := range regexp.MustCompile("`(Longhaul[A-Za-z]+)`").FindAllStringSubmatch(guide, -1) {
		if !seen[name[1]] {
			t.Errorf("docs/operations.md has an alert %s that there is not", name[1])
		}
	}
	if !strings.Contains(string(read(t, "deploy", "prometheus", "prometheus.yml")), "/etc/prometheus/*.rules.yml") {
		t.Error("Prometheus does not read them")
	}
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
			for _, name := range askFor(t, have, p.Title, target.Expr, target.LegendFormat) {
				shown[name] = true
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
