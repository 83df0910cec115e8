// Package config owns the settings: their names, defaults, meaning and where
// their values come from. It is the only user of viper. One table (settings.go)
// drives reading, checking, --print-config and docs/configuration.md. It opens
// nothing and connects to nothing; it reads the environment it is given, one
// configuration file and the files of secrets.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Role is what a binary does. A setting that its role does not use is not read.
type Role uint8

// The roles. Dev is API and worker in one process on one machine; Monitoring is
// Asynq's dashboard, a program of its own.
const (
	API Role = 1 << iota
	Worker
	Dev        = API | Worker | 1<<2
	Monitoring = Role(1 << 3)
)

// Config has every setting, typed and checked. docs/configuration.md explains them.
type Config struct {
	// Listening.
	Port        int
	WorkerPort  int    // 0: a worker listens on none
	Host        string // "" is every address, IPv4 and IPv6
	CORSOrigins []string

	// Who may call.
	APITokens         []string // none only where Host is loopback
	StreamTokenSecret []byte   // never empty
	MetricsToken      string   // "": the API tokens open /metrics
	PprofToken        string   // "": there is no /debug/pprof

	RedisURL   string
	Partitions int

	// What is accepted.
	EnginesFile     string
	MaxExecution    time.Duration
	MaxQueueSize    int64
	MaxRequestBytes int64
	MaxUploadBytes  int64
	Retention       time.Duration
	IdempotencyTTL  time.Duration

	// Streaming.
	MaxSSEDuration    time.Duration // of one subscription, over its responses
	SSEResponseLimit  time.Duration // of one response
	KeepAliveInterval time.Duration

	// Running.
	WorkerName    string
	Workdir       string
	MinFree       int64 // bytes on the disk of Workdir
	Queues        []string
	MaxConcurrent int
	SpoolMaxBytes int64 // of one attempt, on the worker's disk
	LogRedisBytes int64 // of one execution, as stored
	LogHotTTL     time.Duration
	FoldAfter     time.Duration
	CancelGrace   time.Duration
	DrainTimeout  time.Duration

	MetricsInterval time.Duration // 0: no metrics events

	Artifacts Artifacts

	CheckpointInterval time.Duration // 0: only when an engine was interrupted
	CheckpointMaxBytes int64         // of files, before compression

	WebhookSecret        string
	WebhookAllowNetworks []netip.Prefix

	// Asynq's dashboard.
	MonitoringURL     string // where the API sends whoever looks for it
	OperatorTokens    []string
	MonitoringActions bool
	LonghaulURL       string
	LonghaulToken     string

	LogLevel  slog.Level
	LogFormat string // auto, json or text

	// Warnings are settings that are valid and yet probably not meant. Log them at start.
	Warnings []string

	role   Role
	values []value // for Print, in the order of the table
}

// Artifacts says where the files that engines leave are kept.
type Artifacts struct {
	URL             string // "" keeps none
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Endpoint        string
	Region          string
	Bucket          string
	MaxFiles        int
	MaxBytes        int64
}

// value is a setting as it was found.
type value struct {
	setting *setting
	text    string
	source  string
}

// The sources, as Print shows them.
const (
	fromEnvironment = "environment"
	fromFile        = "file"
	fromDefault     = "default"
)

// IsSet reports whether the setting called name was given, rather than left at its default.
func (c *Config) IsSet(name string) bool {
	for _, v := range c.values {
		if v.setting.name == name {
			return v.source != fromDefault
		}
	}
	return false
}

// Limits are the bounds of a request that settings decide.
func (c *Config) Limits() execution.Limits {
	l := execution.DefaultLimits()
	l.MaxTimeout = c.MaxExecution
	return l
}
