package config

import (
	"log/slog"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// setting is one row of the table.
type setting struct {
	name    string
	aliases []string // other environment variables, which platforms set
	def     string   // as it would be written
	defDoc  string   // where the default depends on the surroundings: what it is
	example string
	doc     string // one sentence
	secret  bool   // shown as ***, and <NAME>_FILE works
	roles   Role
	parse   func(c *Config, s string) error // s is not empty
}

// key is the setting's name in the file: any case, as viper takes it.
func (s *setting) key() string { return strings.ToLower(s.name) }

const (
	both = API | Worker
	all  = both | Monitoring
)

// settings is the table, in the order of docs and --print-config.
var settings = []*setting{
	{
		name: "PORT", def: "8080", roles: API | Monitoring, example: "8080",
		doc:   "The TCP port of the API, or of Asynq's dashboard.",
		parse: whole(1, 65535, func(c *Config, n int64) { c.Port = int(n) }),
	},
	{
		name: "WORKER_PORT", defDoc: "none; on Railway PORT", roles: Worker, example: "8081",
		doc:   "The TCP port where a worker answers `/health`, `/ready` and `/metrics`, for a platform's probes; it is not PORT, which an API on the same host may have, except on Railway, where each service has its own. Not used by `longhaul dev`, whose API answers.",
		parse: whole(1, 65535, func(c *Config, n int64) { c.WorkerPort = int(n) }),
	},
	{
		name: "HOST", defDoc: "every address, IPv4 and IPv6; `127.0.0.1` in `longhaul dev`", roles: all, example: "127.0.0.1",
		doc:   "The address that the API or the dashboard listens on, and a worker with WORKER_PORT.",
		parse: host(func(c *Config, s string) { c.Host = s }),
	},
	{
		name: "API_TOKENS", defDoc: "none, which is refused unless HOST is a loopback address", roles: API, secret: true, example: "a-long-random-text,another-one",
		doc:   "The bearer tokens that callers may use, separated by commas or lines, at least 16 characters each.",
		parse: func(c *Config, s string) error { c.APITokens = list(s); return nil },
	},
	{
		name: "STREAM_TOKEN_SECRET", defDoc: "derived from API_TOKENS", roles: API, secret: true, example: "32-random-characters-or-more",
		doc:   "Signs the short-lived tokens that browsers put into a stream's URL; the same for all replicas.",
		parse: streamTokenSecret,
	},
	{
		name: "METRICS_TOKEN", defDoc: "none: API_TOKENS open it", roles: both, secret: true, example: "a-long-random-text",
		doc:   "The bearer token for `/metrics`.",
		parse: func(c *Config, s string) error { c.MetricsToken = s; return nil },
	},
	{
		name: "PPROF_TOKEN", defDoc: "none: there is no `/debug/pprof`", roles: both, secret: true, example: "a-long-random-text",
		doc:   "The bearer token for the runtime's profiles at `/debug/pprof`; on a worker at WORKER_PORT.",
		parse: func(c *Config, s string) error { c.PprofToken = s; return nil },
	},
	{
		name: "CORS_ORIGINS", defDoc: "none", roles: API, example: "https://app.example.com",
		doc:   "The web pages that may call the API from a browser, separated by commas; `*` is all.",
		parse: origins,
	},

	{
		name: "REDIS_URL", def: "redis://127.0.0.1:6379/0", roles: all, secret: true, example: "redis://default:password@host:6379/0",
		doc:   "Where Redis is; `rediss://` is with TLS, `redis+sentinel://` and `redis+cluster://` take several hosts.",
		parse: redisURL,
	},
	{
		name: "PARTITIONS", def: "1", roles: both, example: "1",
		doc:   "Into how many hash slots of a Redis Cluster the keys are spread; fixed at the first start.",
		parse: whole(1, 256, func(c *Config, n int64) { c.Partitions = int(n) }),
	},

	{
		name: "ENGINES_FILE", def: "engines.yaml", roles: both, example: "/etc/longhaul/engines.yaml",
		doc:   "The catalog of engines and commands; the same for API and workers.",
		parse: text(func(c *Config, s string) { c.EnginesFile = s }),
	},
	{
		name: "MAX_EXECUTION_DURATION", def: "7200", roles: both, example: "2h",
		doc:   "The longest timeout of an execution, and the timeout where nobody asks for one.",
		parse: duration(time.Second, 30*day, func(c *Config, d time.Duration) { c.MaxExecution = d }),
	},
	{
		name: "MAX_QUEUE_SIZE", def: "10000", roles: API, example: "10000",
		doc:   "How many executions may wait in line before new ones get 429.",
		parse: whole(1, 10_000_000, func(c *Config, n int64) { c.MaxQueueSize = n }),
	},
	{
		name: "MAX_REQUEST_BYTES", def: "2MiB", roles: API, example: "2MiB",
		doc:   "The largest body of a request.",
		parse: size(1<<10, 64<<20, func(c *Config, n int64) { c.MaxRequestBytes = n }),
	},
	{
		name: "MAX_UPLOAD_BYTES", def: "256MiB", roles: API, example: "2GiB",
		doc:   "How many bytes the files that one request brings may have together; they need ARTIFACTS_URL.",
		parse: size(1, 1<<50, func(c *Config, n int64) { c.MaxUploadBytes = n }),
	},
	{
		name: "RETENTION", def: "7d", roles: both, example: "7d",
		doc:   "How long an execution is kept after its end.",
		parse: duration(time.Minute, 366*day, func(c *Config, d time.Duration) { c.Retention = d }),
	},
	{
		name: "IDEMPOTENCY_TTL", def: "24h", roles: API, example: "24h",
		doc:   "How long an `Idempotency-Key` is remembered.",
		parse: duration(time.Minute, 30*day, func(c *Config, d time.Duration) { c.IdempotencyTTL = d }),
	},

	{
		name: "MAX_SSE_DURATION", def: "7200", roles: API, example: "2h",
		doc:   "How long one streaming response may last, and how long a stream token, which goes into the URL of a browser's EventSource, is good for.",
		parse: duration(time.Second, 30*day, func(c *Config, d time.Duration) { c.MaxSSEDuration = d }),
	},
	{
		name: "SSE_RESPONSE_LIMIT", def: "13m30s", roles: API, example: "13m30s",
		doc:   "After how long one streaming response ends on purpose, so that the client reconnects before a platform cuts it (Railway: 15 minutes).",
		parse: duration(10*time.Second, 30*day, func(c *Config, d time.Duration) { c.SSEResponseLimit = d }),
	},
	{
		name: "SSE_KEEPALIVE_INTERVAL", def: "15s", roles: API, example: "15s",
		doc:   "How often a silent stream gets a comment, so that nobody takes it for dead.",
		parse: duration(time.Second, 5*time.Minute, func(c *Config, d time.Duration) { c.KeepAliveInterval = d }),
	},

	{
		name: "WORKER_NAME", defDoc: "the host's name and the process id", roles: Worker, example: "worker-1",
		doc:   "What this worker is called in records and logs; different for each.",
		parse: workerName,
	},
	{
		name: "WORKDIR", defDoc: "`longhaul` in the folder for temporary files", roles: Worker, example: "/var/tmp/longhaul",
		doc:   "Where engines get their fresh folders and output is spooled while Redis is away.",
		parse: text(func(c *Config, s string) { c.Workdir = s }),
	},
	{
		name: "WORKDIR_MIN_FREE", def: "64MiB", roles: Worker, example: "64MiB",
		doc:   "With less room than this on the disk of WORKDIR a worker takes nothing new until there is room again; what runs goes on.",
		parse: size(0, 1<<40, func(c *Config, n int64) { c.MinFree = n }),
	},
	{
		name: "QUEUES", def: strings.Join(execution.Queues, ","), roles: Worker, example: "critical,default",
		doc:   "The lines that this worker serves.",
		parse: queues,
	},
	{
		name: "MAX_CONCURRENT", def: "5", roles: Worker, example: "5",
		doc:   "How many engines this worker runs at once.",
		parse: whole(1, 1000, func(c *Config, n int64) { c.MaxConcurrent = int(n) }),
	},
	{
		name: "METRICS_INTERVAL", def: "5s", roles: Worker, example: "10s",
		doc:   "How often an execution's log gets an event `metrics` with what its engine uses (CPU, memory, processes), and once more at the end; 0 = never, and an engine that runs for less has none.",
		parse: metricsInterval,
	},
	{
		name: "LOG_REDIS_BYTES", def: "64MiB", roles: both, example: "64MiB",
		doc:   "How many bytes of one execution's events, as stored, stay in Redis; beyond them head and tail stay, and the middle goes to the store of ARTIFACTS_URL, or is dropped where there is none.",
		parse: size(64<<10, 4<<30, func(c *Config, n int64) { c.LogRedisBytes = n }),
	},
	{
		name: "LOG_HOT_TTL", def: "1h", roles: both, example: "10m",
		doc:   "How long after its end a log stays in Redis before it moves to the store of ARTIFACTS_URL, where it can be read as before.",
		parse: duration(time.Second, 366*day, func(c *Config, d time.Duration) { c.LogHotTTL = d }),
	},
	{
		name: "FOLD_AFTER", def: "10m", roles: both, example: "1h",
		doc:   "How long after its end an execution is folded: record and short log become one small string in Redis, read as before; 0 = never.",
		parse: duration(0, 366*day, func(c *Config, d time.Duration) { c.FoldAfter = d }),
	},
	{
		name: "SPOOL_MAX_BYTES", def: "256MiB", roles: Worker, example: "256MiB",
		doc:   "How much output of one execution a worker keeps on disk, in WORKDIR, while Redis is away; what is beyond is told by a gap.",
		parse: size(0, 1<<40, func(c *Config, n int64) { c.SpoolMaxBytes = n }),
	},
	{
		name: "CANCEL_GRACE", def: "10s", roles: both, example: "10s",
		doc:   "How long an engine has between SIGTERM and SIGKILL, where the catalog says nothing else.",
		parse: duration(0, time.Hour, func(c *Config, d time.Duration) { c.CancelGrace = d }),
	},
	{
		name: "DRAIN_TIMEOUT", defDoc: "25s; on Railway RAILWAY_DEPLOYMENT_DRAINING_SECONDS less 5", roles: both, example: "25s",
		doc:   "How long a process told to stop has to end its work; below what the platform waits before it kills.",
		parse: duration(0, 24*time.Hour, func(c *Config, d time.Duration) { c.DrainTimeout = d }),
	},

	{
		name: "ARTIFACTS_URL", defDoc: "none: files are not kept", roles: both, example: "s3://bucket/prefix?endpoint=https://host",
		doc:   "Where the files that engines leave are kept: `file:///folder` or `s3://bucket/prefix`.",
		parse: artifactsURL,
	},
	{
		name: "ARTIFACTS_ACCESS_KEY_ID", aliases: []string{"AWS_ACCESS_KEY_ID", "ACCESS_KEY_ID"}, defDoc: "none", roles: both, secret: true, example: "AKIA...",
		doc:   "The access key for the bucket.",
		parse: text(func(c *Config, s string) { c.Artifacts.AccessKeyID = s }),
	},
	{
		name: "ARTIFACTS_SECRET_ACCESS_KEY", aliases: []string{"AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"}, defDoc: "none", roles: both, secret: true, example: "wJalr...",
		doc:   "Its secret.",
		parse: text(func(c *Config, s string) { c.Artifacts.SecretAccessKey = s }),
	},
	{
		name: "ARTIFACTS_SESSION_TOKEN", aliases: []string{"AWS_SESSION_TOKEN"}, defDoc: "none", roles: both, secret: true, example: "IQoJ...",
		doc:   "The session token of temporary credentials.",
		parse: text(func(c *Config, s string) { c.Artifacts.SessionToken = s }),
	},
	{
		name: "ARTIFACTS_ENDPOINT", aliases: []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "ENDPOINT"}, defDoc: "Amazon's", roles: both, example: "https://storage.example.com",
		doc:   "The S3 endpoint, where ARTIFACTS_URL does not name it.",
		parse: text(func(c *Config, s string) { c.Artifacts.Endpoint = s }),
	},
	{
		name: "ARTIFACTS_REGION", aliases: []string{"AWS_REGION", "AWS_DEFAULT_REGION", "REGION"}, defDoc: "us-east-1", roles: both, example: "auto",
		doc:   "The region of the bucket, where ARTIFACTS_URL does not name it.",
		parse: text(func(c *Config, s string) { c.Artifacts.Region = s }),
	},
	{
		name: "ARTIFACTS_BUCKET", aliases: []string{"BUCKET"}, defDoc: "none", roles: both, example: "outputs",
		doc:   "The bucket, for an ARTIFACTS_URL without one: `s3:///prefix`.",
		parse: text(func(c *Config, s string) { c.Artifacts.Bucket = s }),
	},
	{
		name: "ARTIFACTS_MAX_FILES", def: "1000", roles: Worker, example: "1000",
		doc:   "How many files of one execution are kept.",
		parse: whole(1, 1_000_000, func(c *Config, n int64) { c.Artifacts.MaxFiles = int(n) }),
	},
	{
		name: "ARTIFACTS_MAX_BYTES", def: "1GiB", roles: Worker, example: "1GiB",
		doc:   "How many bytes of files of one execution are kept.",
		parse: size(1, 1<<50, func(c *Config, n int64) { c.Artifacts.MaxBytes = n }),
	},
	{
		name: "CHECKPOINT_INTERVAL", def: "30s", roles: Worker, example: "30s",
		doc:   "How often what has changed in EXECUTION_CHECKPOINT_DIR is saved while the engine of an execution that may run again runs; 0 is only when it is interrupted.",
		parse: duration(0, day, func(c *Config, d time.Duration) { c.CheckpointInterval = d }),
	},
	{
		name: "CHECKPOINT_MAX_BYTES", def: "256MiB", roles: Worker, example: "256MiB",
		doc:   "How many bytes of files a checkpoint may have, before compression; the same for all workers.",
		parse: size(1, 1<<40, func(c *Config, n int64) { c.CheckpointMaxBytes = n }),
	},

	{
		name: "WEBHOOK_SECRET", defDoc: "none: `webhook_url` is refused", roles: both, secret: true, example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		doc:   "Signs webhooks: `whsec_` and the base64 of 24 to 64 random bytes; while changing it, the new and the old one separated by a comma.",
		parse: webhookSecret,
	},
	{
		name: "WEBHOOK_ALLOW_NETWORKS", defDoc: "none", roles: both, example: "fd12::/16,10.0.0.0/8",
		doc:   "Private networks that webhooks may reach all the same.",
		parse: networks,
	},

	{
		name: "MONITORING_URL", defDoc: "none", roles: API, example: "https://monitoring.example.com",
		doc:   "Where Asynq's dashboard is: `/monitoring` of the API leads there.",
		parse: webAddress(func(c *Config, s string) { c.MonitoringURL = s }),
	},
	{
		name: "OPERATOR_TOKENS", defDoc: "none, which is refused", roles: Monitoring, secret: true, example: "a-long-random-text",
		doc:   "The tokens that operators log in to the dashboard with, separated by commas or lines, at least 16 characters each; no API token opens it.",
		parse: func(c *Config, s string) error { c.OperatorTokens = list(s); return nil },
	},
	{
		name: "MONITORING_ACTIONS", def: "off", roles: Monitoring, example: "on",
		doc:   "`on` lets operators cancel executions, and pause and resume queues, on the dashboard; it needs LONGHAUL_URL and LONGHAUL_TOKEN.",
		parse: oneOf([]string{"off", "on"}, func(c *Config, s string) { c.MonitoringActions = s == "on" }),
	},
	{
		name: "LONGHAUL_URL", defDoc: "none", roles: Monitoring, example: "http://api:8080",
		doc:   "Where the dashboard finds the API, which does its cancels.",
		parse: webAddress(func(c *Config, s string) { c.LonghaulURL = s }),
	},
	{
		name: "LONGHAUL_TOKEN", defDoc: "none", roles: Monitoring, secret: true, example: "a-long-random-text",
		doc:   "One of API_TOKENS, for the dashboard's cancels.",
		parse: text(func(c *Config, s string) { c.LonghaulToken = s }),
	},

	{
		name: "LOG_LEVEL", def: "info", roles: all, example: "debug",
		doc:   "The least level that is logged: debug, info, warn or error.",
		parse: logLevel,
	},
	{
		name: "LOG_FORMAT", def: "auto", roles: all, example: "json",
		doc:   "`json`, `text`, or `auto`: text on a terminal, else JSON.",
		parse: oneOf([]string{"auto", "json", "text"}, func(c *Config, s string) { c.LogFormat = s }),
	},
}

const day = 24 * time.Hour

func logLevel(c *Config, s string) error {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	return oneOf([]string{"debug", "info", "warn", "error"}, func(c *Config, s string) { c.LogLevel = levels[s] })(c, s)
}
