package config

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// env is a lookup over "NAME=value" lines.
func env(lines ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, l := range lines {
			if k, v, _ := strings.Cut(l, "="); k == name {
				return v, true
			}
		}
		return "", false
	}
}

const token = "API_TOKENS=0123456789abcdef"

func load(t *testing.T, role Role, lines ...string) *Config {
	t.Helper()
	c, err := Load(env(lines...), role)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write makes a file and gives its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// elsewhere keeps a longhaul.yaml of the working directory out of a test.
func elsewhere(t *testing.T) { t.Chdir(t.TempDir()) }

func TestDefaultsHoldWhereNothingIsSet(t *testing.T) {
	elsewhere(t)
	c := load(t, API|Worker, token)
	if c.Port != 8080 || c.Host != "" || c.MaxExecution != 2*time.Hour || c.MaxSSEDuration != 2*time.Hour || c.SSEResponseLimit != 13*time.Minute+30*time.Second ||
		c.Retention != 7*24*time.Hour || c.DrainTimeout != 25*time.Second || c.MaxConcurrent != 5 || c.MaxRequestBytes != 2<<20 || c.Artifacts.MaxBytes != 1<<30 {
		t.Errorf("%+v", c)
	}
	if c.WorkerName == "" || c.Workdir == "" || len(c.Queues) != 3 || c.LogLevel != slog.LevelInfo || c.Warnings != nil || c.IsSet("REDIS_URL") {
		t.Errorf("%+v", c)
	}
	if l := c.Limits(); l.MaxTimeout != 2*time.Hour {
		t.Errorf("%+v", l)
	}
}

func TestTheEnvironmentComesBeforeTheFileAndTheFileBeforeTheDefault(t *testing.T) {
	elsewhere(t)
	file := write(t, "port: 1111\nMAX_CONCURRENT: 7\nretention: 2d\napi_tokens: [aaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbb]\n")
	c := load(t, API|Worker, "LONGHAUL_CONFIG="+file, "PORT=2222", "RETENTION=")
	if c.Port != 2222 || c.MaxConcurrent != 7 || c.Retention != 48*time.Hour || !slices.Equal(c.APITokens, []string{"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"}) {
		t.Errorf("%+v", c)
	}
	sources := map[string]string{}
	for _, v := range c.values {
		sources[v.setting.name] = v.source
	}
	if sources["PORT"] != fromEnvironment || sources["MAX_CONCURRENT"] != fromFile || sources["RETENTION"] != fromFile || sources["HOST"] != fromDefault {
		t.Errorf("%v", sources)
	}
	if !c.IsSet("PORT") || c.IsSet("MAX_QUEUE_SIZE") {
		t.Error("IsSet is wrong")
	}
}

func TestTheFileInTheWorkingDirectoryIsRead(t *testing.T) {
	elsewhere(t)
	if err := os.WriteFile(defaultFile, []byte("max_concurrent: 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := load(t, Worker); c.MaxConcurrent != 9 {
		t.Errorf("%+v", c)
	}
}

func TestEveryProblemIsReportedAtOnceWithSettingCauseAndExample(t *testing.T) {
	elsewhere(t)
	file := write(t, "prot: 1\nredis: {url: x}\n")
	_, err := Load(env(
		"LONGHAUL_CONFIG="+file, "PORT=many", "API_TOKENS=hush", "STREAM_TOKEN_SECRET=hush", "MAX_EXECUTION_DURATION=2 hours",
		"REDIS_URL=http://hush@x", "CORS_ORIGINS=https://a.example/", "RETENTION=8", "LOG_LEVEL=loud", "QUEUES=fast",
		"WEBHOOK_SECRET=hush", "WEBHOOK_ALLOW_NETWORKS=10.0.0.1", "ARTIFACTS_URL=/tmp", "MAX_REQUEST_BYTES=1GiB",
		"ARTIFACTS_SECRET_ACCESS_KEY=x", "ARTIFACTS_SECRET_ACCESS_KEY_FILE=/nowhere", "METRICS_TOKEN_FILE=/nowhere", "WORKER_NAME=a b",
		"RAILWAY_DEPLOYMENT_DRAINING_SECONDS=soon", "HOST=0.0.0.0:80",
	), API|Worker)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		"prot in ", "redis.url in ",
		`PORT is "many" in the environment: it must be a whole number from 1 to 65535, such as PORT=8080`,
		"API_TOKENS holds a token shorter than 16 characters", "STREAM_TOKEN_SECRET must have at least 16",
		`MAX_EXECUTION_DURATION is "2 hours"`, "REDIS_URL must be a URL", "CORS_ORIGINS is", "RETENTION is \"8\" in the environment: it must be between 1m and 366d",
		"LOG_LEVEL is", "QUEUES is", "WEBHOOK_SECRET must be whsec_", "WEBHOOK_ALLOW_NETWORKS is", "ARTIFACTS_URL is", "MAX_REQUEST_BYTES is",
		"ARTIFACTS_SECRET_ACCESS_KEY and ARTIFACTS_SECRET_ACCESS_KEY_FILE are both set", "METRICS_TOKEN_FILE names a file", "WORKER_NAME is",
		"RAILWAY_DEPLOYMENT_DRAINING_SECONDS must be", "HOST is",
	} {
		if !slices.ContainsFunc(e.Problems, func(p string) bool { return strings.HasPrefix(p, want) }) {
			t.Errorf("missing: %s", want)
		}
	}
	if len(e.Problems) != 20 || strings.Contains(err.Error(), "hush") {
		t.Errorf("%d problems: %v", len(e.Problems), err)
	}
	for _, p := range e.Problems {
		if !strings.Contains(p, "such as ") && !strings.Contains(p, "`") {
			t.Errorf("no example: %s", p)
		}
	}
}

func TestAHostNameIsAsLongAsDNSAllows(t *testing.T) {
	for n, fits := range map[int]bool{253: true, 254: false} {
		_, err := Load(env("HOST="+strings.Repeat("x", n), "API_TOKENS=hush-hush-hush-hush", "REDIS_URL=redis://x"), API)
		if (err == nil) != fits {
			t.Errorf("%d characters: %v", n, err)
		}
	}
}

func TestAWorkersNameHasABound(t *testing.T) {
	for n, fits := range map[int]bool{100: true, 101: false} {
		_, err := Load(env("WORKER_NAME="+strings.Repeat("x", n), "REDIS_URL=redis://x"), Worker)
		if (err == nil) != fits {
			t.Errorf("a worker's name of %d: %v", n, err)
		}
	}
}

func TestAFileThatIsNamedMustBeThere(t *testing.T) {
	_, err := Load(env("LONGHAUL_CONFIG=/nowhere.yaml"), Worker)
	if err == nil || !strings.Contains(err.Error(), "LONGHAUL_CONFIG") {
		t.Errorf("got %v", err)
	}
	_, err = Load(env("LONGHAUL_CONFIG="+write(t, "port: [")), Worker)
	if err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("got %v", err)
	}
}

func TestAnOpenAPIIsRefusedAndOneForThisMachineIsNot(t *testing.T) {
	elsewhere(t)
	if _, err := Load(env(), API); err == nil || !strings.Contains(err.Error(), "API_TOKENS is missing") {
		t.Errorf("got %v", err)
	}
	for _, host := range []string{"127.0.0.1", "::1", "[::1]", "localhost"} {
		c := load(t, API, "HOST="+host)
		if len(c.StreamTokenSecret) < 16 {
			t.Error("no secret for stream tokens")
		}
	}
	load(t, Worker) // a worker has no API
	if c := load(t, Dev, "API_TOKENS=short"); c.Host != "127.0.0.1" || len(c.APITokens) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestSecretsComeFromFilesToo(t *testing.T) {
	elsewhere(t)
	c := load(t, API, "API_TOKENS_FILE="+write(t, "# the team\naaaaaaaaaaaaaaaa\n\nbbbbbbbbbbbbbbbb, cccccccccccccccc\n"), "REDIS_URL_FILE="+write(t, "redis://:p@h/0\n"))
	if len(c.APITokens) != 3 || c.RedisURL != "redis://:p@h/0" {
		t.Errorf("%q %q", c.APITokens, c.RedisURL)
	}
	if _, err := Load(env("API_TOKENS_FILE="+write(t, "\n")), API); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("got %v", err)
	}
}

func TestReplicasDeriveTheSameStreamSecretAndOthersDoNot(t *testing.T) {
	elsewhere(t)
	a := load(t, API, "API_TOKENS=aaaaaaaaaaaaaaaa,bbbbbbbbbbbbbbbb").StreamTokenSecret
	b := load(t, API, "API_TOKENS=bbbbbbbbbbbbbbbb,aaaaaaaaaaaaaaaa").StreamTokenSecret
	c := load(t, API, "API_TOKENS=bbbbbbbbbbbbbbbb").StreamTokenSecret
	if string(a) != string(b) || string(a) == string(c) {
		t.Error("the secret does not follow the tokens")
	}
}

func TestTheDashboardIsNeverOpenAndItsActionsNeedTheAPI(t *testing.T) {
	elsewhere(t)
	for want, lines := range map[string][]string{
		"OPERATOR_TOKENS is missing":         {"HOST=127.0.0.1"},
		"OPERATOR_TOKENS holds a token":      {"OPERATOR_TOKENS=short"},
		"MONITORING_ACTIONS is on":           {"OPERATOR_TOKENS=0123456789abcdef", "MONITORING_ACTIONS=on", "LONGHAUL_URL=http://api:8080"},
		"MONITORING_ACTIONS is \"yes\"":      {"OPERATOR_TOKENS=0123456789abcdef", "MONITORING_ACTIONS=yes"},
		"LONGHAUL_URL is \"http://u:p@api\"": {"OPERATOR_TOKENS=0123456789abcdef", "LONGHAUL_URL=http://u:p@api"},
	} {
		if _, err := Load(env(lines...), Monitoring); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", lines, err)
		}
	}
	c := load(t, Monitoring, "OPERATOR_TOKENS=0123456789abcdef", "MONITORING_ACTIONS=on", "LONGHAUL_URL=http://api:8080/", "LONGHAUL_TOKEN=x", "RAILWAY_ENVIRONMENT_ID=x")
	if !c.MonitoringActions || c.LonghaulURL != "http://api:8080" || c.Port != 8080 || c.Warnings != nil {
		t.Errorf("%+v", c)
	}
}

func TestPlatformsSetWhatTheySet(t *testing.T) {
	elsewhere(t)
	c := load(t, Worker, "RAILWAY_ENVIRONMENT_ID=x", "RAILWAY_DEPLOYMENT_DRAINING_SECONDS=60", "ARTIFACTS_URL=s3:///outputs",
		"ACCESS_KEY_ID=key", "SECRET_ACCESS_KEY=secret", "ENDPOINT=https://storage.example", "REGION=auto", "BUCKET=b", "WEBHOOK_ALLOW_NETWORKS=fd12::/16, 10.1.2.3/8")
	if c.DrainTimeout != 55*time.Second || c.Warnings != nil {
		t.Errorf("drain %s, warnings %q", c.DrainTimeout, c.Warnings)
	}
	if a := c.Artifacts; a.AccessKeyID != "key" || a.SecretAccessKey != "secret" || a.Endpoint != "https://storage.example" || a.Region != "auto" || a.Bucket != "b" {
		t.Errorf("%+v", a)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("fd12::/16"), netip.MustParsePrefix("10.0.0.0/8")}; !slices.Equal(c.WebhookAllowNetworks, want) {
		t.Errorf("%v", c.WebhookAllowNetworks)
	}
	c = load(t, Worker, "RAILWAY_ENVIRONMENT_ID=x", "PORT=4321")
	if c.WorkerPort != 4321 {
		t.Errorf("a worker on Railway answers at %d", c.WorkerPort)
	}
	if c = load(t, Worker, "PORT=4321"); c.WorkerPort != 0 {
		t.Errorf("a worker beside an API takes its port %d", c.WorkerPort)
	}
	if c = load(t, Dev, "WORKER_PORT=4321"); c.WorkerPort != 0 {
		t.Errorf("dev has a second port %d", c.WorkerPort)
	}
	c = load(t, Worker, "RAILWAY_ENVIRONMENT_ID=x")
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "drainingSeconds") {
		t.Errorf("%q", c.Warnings)
	}
	c = load(t, Worker, "RAILWAY_DEPLOYMENT_DRAINING_SECONDS=0")
	if c.DrainTimeout != time.Second || len(c.Warnings) != 1 {
		t.Errorf("drain %s, warnings %q", c.DrainTimeout, c.Warnings)
	}
}

func TestPrintShowsEverySettingAndNoSecret(t *testing.T) {
	elsewhere(t)
	c := load(t, all, "API_TOKENS=hushhushhushhush", "OPERATOR_TOKENS=hushhushhushhush", "LONGHAUL_TOKEN=hushhush", "REDIS_URL=rediss://user:hu@sh:hush@host:6380/1?sentinel_password=hush&db=2", "WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "ARTIFACTS_SECRET_ACCESS_KEY=hush")
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, s := range settings {
		if !strings.Contains(out, "\n"+s.name+" ") {
			t.Errorf("%s is missing", s.name)
		}
	}
	if strings.Contains(out, "hush") || strings.Contains(out, "MfKQ") {
		t.Errorf("a secret is shown:\n%s", out)
	}
	if !strings.Contains(out, "rediss://user:***@host:6380/1?sentinel_password=***&db=2") {
		t.Errorf("the Redis URL is not to be recognised:\n%s", out)
	}
}

func TestDurationsAreReadInEveryForm(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "7200": 2 * time.Hour, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 7 * day, "1d12h": 36 * time.Hour, "500ms": 500 * time.Millisecond,
	} {
		if d, err := ParseDuration(s); err != nil || d != want {
			t.Errorf("%s: %s %v", s, d, err)
		}
	}
	for _, s := range []string{"", "-1", "-5s", "1.5", "d", "1w", "99999999999", "1d-1h", "7 d", "1dd", "1e3"} {
		if d, err := ParseDuration(s); err == nil {
			t.Errorf("%q was taken for %s", s, d)
		}
	}
	for _, d := range []time.Duration{time.Second, 90 * time.Second, 13*time.Minute + 30*time.Second, time.Hour, 25 * time.Hour, 7 * day} {
		if back, err := ParseDuration(show(d)); err != nil || back != d {
			t.Errorf("%s is shown as %s", d, show(d))
		}
	}
}
