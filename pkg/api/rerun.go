package api

import (
	"cmp"
	"maps"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Masked stands for a value that is kept and never answered: a secret, perhaps.
// In the body of a rerun it means the old execution's own.
const Masked = "***"

// StartRequestOf is the body that would start s again, without its delay, which
// was for then, and with values that may be secrets masked.
func StartRequestOf(s *execution.Spec) StartRequest {
	r := StartRequest{
		Command: s.Command, Args: s.Args, Engine: s.Engine, Params: s.Params, Input: s.Input, Files: s.Files,
		TimeoutSeconds: s.TimeoutSeconds, QueueTimeoutSeconds: s.QueueTimeoutSeconds,
		Queue: s.Queue, Labels: s.Labels, MaxAttempts: s.MaxAttempts, OnInterrupt: string(s.OnInterrupt),
	}
	for name := range s.Env {
		if r.Env == nil {
			r.Env = map[string]string{}
		}
		r.Env[name] = Masked
	}
	if s.WebhookURL != "" {
		r.WebhookURL = Masked
	}
	return r
}

// Over is the spec of old with the fields that r has in place of its own.
func (r *StartRequest) Over(old *execution.Spec) execution.Spec {
	s := *old
	switch { // a request has a command or an engine; args belong to either
	case r.Engine != "" && old.Command != "":
		s.Command, s.Args = "", nil
	case r.Command != "" && old.Engine != "":
		s.Engine, s.Params, s.Args = "", nil, nil
	}
	s.Command, s.Engine = cmp.Or(r.Command, s.Command), cmp.Or(r.Engine, s.Engine)
	s.Args, s.Params, s.Input = or(r.Args, s.Args), or(r.Params, s.Params), or(r.Input, s.Input)
	s.TimeoutSeconds = cmp.Or(r.TimeoutSeconds, s.TimeoutSeconds)
	s.QueueTimeoutSeconds = cmp.Or(r.QueueTimeoutSeconds, s.QueueTimeoutSeconds)
	s.DelaySeconds = r.DelaySeconds
	s.Queue = cmp.Or(r.Queue, s.Queue)
	if r.Labels != nil {
		s.Labels = r.Labels
	}
	if r.OnInterrupt != "" && r.MaxAttempts == 0 {
		s.MaxAttempts = 0 // what goes with it by default
	}
	s.MaxAttempts = cmp.Or(r.MaxAttempts, s.MaxAttempts)
	s.OnInterrupt = cmp.Or(execution.OnInterrupt(r.OnInterrupt), s.OnInterrupt)
	if r.WebhookURL != Masked {
		s.WebhookURL = cmp.Or(r.WebhookURL, s.WebhookURL)
	}
	if r.Env != nil {
		s.Env = maps.Clone(r.Env)
		for name, value := range s.Env {
			if kept, ok := old.Env[name]; ok && value == Masked {
				s.Env[name] = kept
			}
		}
	}
	return s
}

// or is cmp.Or for lists: an empty one is a value, nil is none.
func or[T any, S ~[]T](a, b S) S {
	if a != nil {
		return a
	}
	return b
}
