package execution

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// OnInterrupt is what becomes of a running execution whose worker is lost or told to stop.
type OnInterrupt string

// Fail is at-most-once and the default; Requeue is at-least-once, chosen by
// those whose engine may run twice.
const (
	Fail    OnInterrupt = "fail"
	Requeue OnInterrupt = "requeue"
)

// Queues are the three lines an execution can stand in, most urgent first.
// They are fixed because Asynq fixes its queues when a server starts.
var Queues = []string{"critical", "default", "low"}

// DefaultQueue is the line for those who do not choose.
const DefaultQueue = "default"

// Spec is the immutable description of an execution. Either Engine (a name of
// the catalog, with Params) or Command with Args is set. Its JSON is what Redis
// keeps and what an idempotency key is compared by.
type Spec struct {
	Engine  string          `json:"engine,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Command string          `json:"command,omitempty"`
	Args    []string        `json:"args,omitempty"`

	Input json.RawMessage   `json:"input,omitempty"` // to the engine's stdin
	Env   map[string]string `json:"env,omitempty"`   // only names that the catalog allows
	Files []File            `json:"files,omitempty"` // in EXECUTION_INPUT_DIR

	TimeoutSeconds int64 `json:"timeout_seconds"`         // from process start
	DelaySeconds   int64 `json:"delay_seconds,omitempty"` // not before this long after creation
	// QueueTimeoutSeconds is how long it may wait in line from when it may run; 0 is for ever.
	QueueTimeoutSeconds int64             `json:"queue_timeout_seconds,omitempty"`
	Queue               string            `json:"queue"`
	Labels              map[string]string `json:"labels,omitempty"`
	MaxAttempts         int               `json:"max_attempts"`
	OnInterrupt         OnInterrupt       `json:"on_interrupt"`
	WebhookURL          string            `json:"webhook_url,omitempty"`

	RerunOf ID `json:"rerun_of,omitempty"` // whose spec this was
	// Traceparent is the span of the request that started it, where traces are on.
	// An idempotency key does not compare it.
	Traceparent string `json:"traceparent,omitempty"`
}

// File is one that the request brought. Its bytes are in the artifact store.
type File struct {
	Path   string `json:"path" doc:"Relative, with slashes" example:"data/week.csv"`
	Size   int64  `json:"size" example:"20480"`
	SHA256 string `json:"sha256" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

// Timeout is TimeoutSeconds as a duration.
func (s *Spec) Timeout() time.Duration { return time.Duration(s.TimeoutSeconds) * time.Second }

// Name is what a person calls this execution: the engine's name, else the command.
func (s *Spec) Name() string {
	if s.Engine != "" {
		return s.Engine
	}
	return s.Command
}

// Limits bound a Spec. Every one is a documented setting or constant.
type Limits struct {
	MaxTimeout  time.Duration // MAX_EXECUTION_DURATION
	MaxDelay    time.Duration // of delay_seconds and queue_timeout_seconds
	MaxArgs     int
	MaxArgBytes int // of one argument; Linux itself refuses one above 128 KiB
	MaxInput    int // bytes of input JSON
	MaxLabels   int
	MaxAttempts int
}

// DefaultLimits are the limits where no setting says otherwise.
func DefaultLimits() Limits {
	return Limits{
		MaxTimeout: 2 * time.Hour, MaxDelay: 7 * 24 * time.Hour,
		MaxArgs: 256, MaxArgBytes: 64 << 10, MaxInput: 1 << 20,
		MaxLabels: 16, MaxAttempts: 10,
	}
}

var (
	labelKey = regexp.MustCompile(`^[a-z0-9]([a-z0-9._/-]*[a-z0-9])?$`) // of at most 63
	envName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Normalize fills what the caller left open with the defaults that hold without a catalog.
func (s *Spec) Normalize(l Limits) {
	if s.Queue == "" {
		s.Queue = DefaultQueue
	}
	if s.TimeoutSeconds == 0 {
		s.TimeoutSeconds = int64(l.MaxTimeout / time.Second)
	}
	if s.OnInterrupt == "" {
		s.OnInterrupt = Fail
	}
	if s.MaxAttempts == 0 {
		s.MaxAttempts = 1
		if s.OnInterrupt == Requeue {
			s.MaxAttempts = 3
		}
	}
}

// Validate checks everything that needs no catalog. The error is an *Error of
// code Invalid that lists every problem with its field; it never repeats a
// value, since values may be secrets.
func (s *Spec) Validate(l Limits) error {
	var p problems
	s.validateCommand(l, &p)
	if n := len(s.Input); n > l.MaxInput {
		p.addf("input", "is %d bytes of JSON; at most %d are taken: put large data into a file that the engine reads", n, l.MaxInput)
	}
	for name, value := range s.Env {
		if !envName.MatchString(name) {
			p.add("env", "holds a name that is no environment variable name (letters, digits and _, not starting with a digit)")
		}
		p.text("env."+name, value, l.MaxArgBytes)
	}
	if limit := int64(l.MaxTimeout / time.Second); s.TimeoutSeconds < 1 || s.TimeoutSeconds > limit {
		p.addf("timeout_seconds", "must be between 1 and %d (the setting MAX_EXECUTION_DURATION)", limit)
	}
	if limit := int64(l.MaxDelay / time.Second); s.DelaySeconds < 0 || s.DelaySeconds > limit {
		p.addf("delay_seconds", "must be between 0 and %d", limit)
	}
	if limit := int64(l.MaxDelay / time.Second); s.QueueTimeoutSeconds < 0 || s.QueueTimeoutSeconds > limit {
		p.addf("queue_timeout_seconds", "must be between 0 (no limit) and %d", limit)
	}
	if !slices.Contains(Queues, s.Queue) {
		p.addf("queue", "must be one of %s", strings.Join(Queues, ", "))
	}
	if s.MaxAttempts < 1 || s.MaxAttempts > l.MaxAttempts {
		p.addf("max_attempts", "must be between 1 and %d", l.MaxAttempts)
	}
	if s.OnInterrupt != Fail && s.OnInterrupt != Requeue {
		p.add("on_interrupt", "must be fail or requeue")
	} else if s.OnInterrupt == Fail && s.MaxAttempts > 1 {
		p.add("max_attempts", "above 1 needs on_interrupt: requeue, since fail means that the engine never runs twice")
	}
	s.validateLabels(l, &p)
	return p.err()
}

func (s *Spec) validateCommand(l Limits, p *problems) {
	switch {
	case s.Engine == "" && s.Command == "":
		p.add("command", "is missing: give either command (with args) or engine (with params)")
	case s.Engine != "" && s.Command != "":
		p.add("command", "and engine exclude each other: give one of them")
	case s.Command != "" && len(s.Params) > 0:
		p.add("params", "belong to an engine; a command takes args")
	}
	p.text("command", s.Command, 4096)
	if len(s.Args) > l.MaxArgs {
		p.addf("args", "are %d; at most %d are taken", len(s.Args), l.MaxArgs)
		return
	}
	for i, a := range s.Args {
		p.text(fmt.Sprintf("args[%d]", i), a, l.MaxArgBytes)
	}
}

func (s *Spec) validateLabels(l Limits, p *problems) {
	if len(s.Labels) > l.MaxLabels {
		p.addf("labels", "are %d; at most %d are taken", len(s.Labels), l.MaxLabels)
	}
	for k, v := range s.Labels {
		if len(k) > 63 || !labelKey.MatchString(k) {
			p.add("labels", "holds a key that is not 1 to 63 of a-z, 0-9, '.', '_', '/', '-', starting and ending with a letter or digit")
		}
		if len(v) > 128 || !utf8.ValidString(v) || strings.ContainsAny(v, "\x00\n\r") {
			p.add("labels."+k, "must be at most 128 bytes of text on one line")
		}
	}
}
