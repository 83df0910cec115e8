// Package deploy checks the files that deploy Longhaul, without deploying it:
// what a platform reads, and what it would not say before it is too late.
package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/test/rig"
)

const root = "../.."

// config is railway.json, and a service of .railway/railway.ts, by the fields that
// Railway documents and its SDK declares. A field of another name or type is an
// error here; Railway would ignore the one and fail the deploy for the other.
type config struct {
	Schema string `json:"$schema,omitempty"`
	Build  struct {
		Builder         string   `json:"builder,omitempty"`
		BuildCommand    string   `json:"buildCommand,omitempty"`
		DockerfilePath  string   `json:"dockerfilePath,omitempty"`
		WatchPatterns   []string `json:"watchPatterns,omitempty"`
		RailpackVersion string   `json:"railpackVersion,omitempty"`
	} `json:"build"`
	Deploy struct {
		StartCommand            string   `json:"startCommand,omitempty"`
		PreDeployCommand        []string `json:"preDeployCommand,omitempty"`
		HealthcheckPath         string   `json:"healthcheckPath,omitempty"`
		HealthcheckTimeout      int      `json:"healthcheckTimeout,omitempty"`
		RestartPolicyType       string   `json:"restartPolicyType,omitempty"`
		RestartPolicyMaxRetries int      `json:"restartPolicyMaxRetries,omitempty"`
		NumReplicas             int      `json:"numReplicas,omitempty"`
		CronSchedule            string   `json:"cronSchedule,omitempty"`
		SleepApplication        bool     `json:"sleepApplication,omitempty"`
		OverlapSeconds          int      `json:"overlapSeconds"`
		DrainingSeconds         int      `json:"drainingSeconds"` // a number: Railway fails the deploy for "30"
	} `json:"deploy"`
}

func strict(t *testing.T, data []byte, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// check is what must hold for both services, in whichever file.
func (c *config) check(t *testing.T, where string) {
	t.Helper()
	if c.Build.Builder != "DOCKERFILE" {
		t.Errorf("%s: builder %q", where, c.Build.Builder)
	}
	if _, err := os.Stat(filepath.Join(root, c.Build.DockerfilePath)); err != nil || c.Build.DockerfilePath == "" {
		t.Errorf("%s: %v", where, err)
	}
	d := c.Deploy
	if d.RestartPolicyType != "ALWAYS" {
		t.Errorf("%s: with %q a process that ends well is not started again", where, d.RestartPolicyType)
	}
	if d.DrainingSeconds < 30 {
		t.Errorf("%s: %d s are too few to drain in", where, d.DrainingSeconds)
	}
	if d.HealthcheckPath != "/ready" || d.StartCommand != "" || d.SleepApplication || d.CronSchedule != "" || d.NumReplicas < 2 {
		t.Errorf("%s: %+v", where, d)
	}
}

func TestRailwaysFilesHaveItsFieldsAndTypes(t *testing.T) {
	for _, path := range []string{"railway.json", "deploy/railway.worker.json"} {
		var c config
		strict(t, read(t, path), &c)
		c.check(t, path)
	}
}

// program is what .railway/railway.ts describes.
type program struct {
	Resources []struct {
		Type, Name, Engine string
		Build, Deploy      json.RawMessage
		Variables          map[string]struct{ Type, Resource, Output, Value string }
	}
}

func TestRailwaysProgramTypeChecksAndSaysWhatTheFilesSay(t *testing.T) {
	p := evaluate(t)
	kinds := map[string]string{}
	for _, r := range p.Resources {
		kinds[r.Name] = r.Type + r.Engine
		if r.Type != "service" {
			continue
		}
		for name, v := range r.Variables {
			if v.Type == "literal" && regexp.MustCompile("TOKEN|SECRET|KEY").MatchString(name) {
				t.Errorf("%s: %s stands in the file", r.Name, name)
			}
		}
		for _, s := range settings(t, r.Name) {
			if _, ok := r.Variables[s]; !ok {
				t.Errorf("%s: %s is not listed, so apply would delete it", r.Name, s)
			}
		}
		if v := r.Variables["REDIS_URL"]; v.Type != "reference" || v.Resource != "database.Redis" || v.Output != "REDIS_URL" {
			t.Errorf("%s finds Redis by %+v", r.Name, v)
		}
		if r.Name == "monitoring" { // keeps nothing, and has no file from before
			continue
		}
		file := "railway.json"
		if r.Name == "worker" {
			file = "deploy/railway.worker.json"
		}
		var here, there config
		strict(t, r.Build, &here.Build)
		strict(t, r.Deploy, &here.Deploy)
		here.check(t, "railway.ts, "+r.Name)
		strict(t, read(t, file), &there)
		if there.Schema = ""; !same(t, here, there) {
			t.Errorf("%s is %+v in railway.ts and %+v in %s", r.Name, here, there, file)
		}
		if got := r.Variables["RAILWAY_DEPLOYMENT_DRAINING_SECONDS"].Value; got != strconv.Itoa(here.Deploy.DrainingSeconds) {
			t.Errorf("%s is told of %s s to drain in and has %d", r.Name, got, here.Deploy.DrainingSeconds)
		}
	}
	want := map[string]string{"Redis": "databaseredis", "outputs": "bucket", "api": "service", "worker": "service", "monitoring": "service"}
	if len(kinds) != len(want) {
		t.Errorf("the project has %v", kinds)
	}
	for name, kind := range want {
		if kinds[name] != kind {
			t.Errorf("%s is %q", name, kinds[name])
		}
	}
}

func same(t *testing.T, a, b config) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

// elsewhere are settings that a service on Railway gets otherwise, or must leave to the image.
var elsewhere = []string{
	"PORT", "WORKER_PORT", "HOST", "WORKER_NAME", "DRAIN_TIMEOUT", "LOG_FORMAT",
	// The bucket's variables have other names, which are understood too.
	"ARTIFACTS_ACCESS_KEY_ID", "ARTIFACTS_SECRET_ACCESS_KEY", "ARTIFACTS_SESSION_TOKEN", "ARTIFACTS_ENDPOINT", "ARTIFACTS_REGION", "ARTIFACTS_BUCKET",
}

// settings are those that docs/configuration.md, which is made from the table, has for the service.
func settings(t *testing.T, service string) (names []string) {
	t.Helper()
	by := map[string]string{"api": "API", "worker": "worker", "monitoring": "dashboard"}[service]
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|[^|]*\\| (API|worker|dashboard|both|all|API, dashboard) \\|").FindAllStringSubmatch(string(read(t, "docs", "configuration.md")), -1) {
		if (strings.Contains(row[2], by) || row[2] == "both" && service != "monitoring" || row[2] == "all") && !slices.Contains(elsewhere, row[1]) {
			names = append(names, row[1])
		}
	}
	if len(names) < 5 {
		t.Fatalf("only %v found", names)
	}
	return names
}

// evaluate compiles railway.ts with the pinned SDK and runs it.
func evaluate(t *testing.T) (p program) {
	t.Helper()
	rig.Need(t, "LONGHAUL_REQUIRE_NODE", "npm", "node")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, ".railway"))); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		rig.Missing(t, "CI", fmt.Sprintf("npm gives no SDK, so .railway/railway.ts is not checked: %v\n%s", err, out))
	}
	compiler := filepath.Join("node_modules", ".bin", "tsc")
	if out, err := run(t, dir, compiler, "-p", "."); err != nil {
		t.Fatalf("railway.ts does not type-check:\n%s", out)
	}
	out, err := run(t, dir, "node", "evaluate.mjs")
	if err != nil {
		t.Fatalf("railway.ts does not run: %v\n%s", err, out)
	}
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	// The checker must be one that says no.
	file := filepath.Join(dir, "railway.ts")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(text), "drainingSeconds: draining.api", `drainingSeconds: "30"`, 1)
	if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, dir, compiler, "-p", "."); err == nil || !strings.Contains(string(out), "drainingSeconds") && !strings.Contains(string(out), "number") {
		t.Errorf("a string for drainingSeconds type-checks: %s", out)
	}
	return p
}

func run(t *testing.T, dir, name string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	return cmd.CombinedOutput()
}
