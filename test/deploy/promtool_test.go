package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/test/rig"
)

// promtool runs Prometheus' own checker on files of a folder of its own, or skips.
func promtool(t *testing.T, files map[string]string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		rig.Missing(t, "LONGHAUL_REQUIRE_PROMTOOL", "promtool is missing (apt-get install prometheus), so Prometheus has not seen its rules and config")
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run(t, dir, "promtool", args...)
	return string(out), err
}

func TestPrometheusTakesItsConfigAndRules(t *testing.T) {
	rules := string(read(t, "deploy", "prometheus", "longhaul.rules.yml"))
	// The paths are those of its container.
	config := strings.NewReplacer("/etc/prometheus/", "./", "/etc/longhaul/", "./").Replace(string(read(t, "deploy", "prometheus", "prometheus.yml")))
	files := map[string]string{"prometheus.yml": config, "longhaul.rules.yml": rules, "metrics_token": "x"}
	out, err := promtool(t, files, "check", "config", "prometheus.yml")
	if err != nil || !strings.Contains(out, "14 rules found") {
		t.Errorf("%v\n%s", err, out)
	}
	// The checker must be one that says no.
	files["longhaul.rules.yml"] = strings.Replace(rules, "sum(", "summ(", 1)
	if out, err := promtool(t, files, "check", "config", "prometheus.yml"); err == nil {
		t.Errorf("a function that there is not passes: %s", out)
	}
}

func TestEachAlertFiresWhenItShouldAndNoneWhenAllIsWell(t *testing.T) {
	rules := string(read(t, "deploy", "prometheus", "longhaul.rules.yml"))
	cases, err := os.ReadFile(filepath.Join("testdata", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if n := strings.Count(string(cases), "alertname: "+alert[1]); n != 2 {
			t.Errorf("%s is tried %d times, and not once well and once not", alert[1], n)
		}
	}
	files := map[string]string{"alerts.yml": string(cases), "longhaul.rules.yml": rules}
	if out, err := promtool(t, files, "test", "rules", "alerts.yml"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	files["longhaul.rules.yml"] = strings.ReplaceAll(rules, "> 600", "> 6000")
	if out, err := promtool(t, files, "test", "rules", "alerts.yml"); err == nil {
		t.Errorf("a line that is too long does not fire, and that passes: %s", out)
	}
}
