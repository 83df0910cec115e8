package execution

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// valid is a spec without a problem; each case breaks one thing.
func valid() Spec {
	s := Spec{Command: "python", Args: []string{"-c", "pass"}, Labels: map[string]string{"team": "a b"}}
	s.Normalize(DefaultLimits())
	return s
}

func TestNormalizeFillsOnlyWhatIsLeftOpen(t *testing.T) {
	var s Spec
	s.Normalize(DefaultLimits())
	if s.Queue != "default" || s.Timeout() != 2*time.Hour || s.OnInterrupt != Fail || s.MaxAttempts != 1 {
		t.Errorf("%+v", s)
	}
	s = Spec{OnInterrupt: Requeue, Queue: "low", TimeoutSeconds: 5}
	s.Normalize(DefaultLimits())
	if s.Queue != "low" || s.TimeoutSeconds != 5 || s.MaxAttempts != 3 {
		t.Errorf("%+v", s)
	}
	s = Spec{OnInterrupt: Requeue, MaxAttempts: 7}
	if s.Normalize(DefaultLimits()); s.MaxAttempts != 7 {
		t.Errorf("%+v", s)
	}
}

func TestASpecIsNamedAfterItsEngineElseItsCommand(t *testing.T) {
	if got := (&Spec{Engine: "agent"}).Name() + (&Spec{Command: "python"}).Name(); got != "agentpython" {
		t.Error(got)
	}
}

func TestValidateNamesTheFieldAndNeverTheValue(t *testing.T) {
	const secret = "hunter2"
	long := strings.Repeat("x", 70<<10)
	for _, test := range []struct {
		field   string
		breakIt func(*Spec)
	}{
		{"", func(*Spec) {}},
		{"command", func(s *Spec) { s.Command = "" }},
		{"command", func(s *Spec) { s.Engine = secret }},
		{"params", func(s *Spec) { s.Params = json.RawMessage(`{"p":"hunter2"}`) }},
		{"command", func(s *Spec) { s.Command = secret + "\x00" }},
		{"command", func(s *Spec) { s.Command = long }},
		{"args", func(s *Spec) { s.Args = make([]string, 257) }},
		{"args[1]", func(s *Spec) { s.Args[1] = secret + "\x00" }},
		{"args[0]", func(s *Spec) { s.Args[0] = long }},
		{"input", func(s *Spec) { s.Input = make([]byte, 1<<20+1) }},
		{"env", func(s *Spec) { s.Env = map[string]string{"1" + secret: "x"} }},
		{"env.NAME", func(s *Spec) { s.Env = map[string]string{"NAME": secret + "\x00"} }},
		{"timeout_seconds", func(s *Spec) { s.TimeoutSeconds = 7201 }},
		{"timeout_seconds", func(s *Spec) { s.TimeoutSeconds = -1 }},
		{"delay_seconds", func(s *Spec) { s.DelaySeconds = -1 }},
		{"delay_seconds", func(s *Spec) { s.DelaySeconds = 7*24*3600 + 1 }},
		{"queue", func(s *Spec) { s.Queue = secret }},
		{"max_attempts", func(s *Spec) { s.MaxAttempts = 2 }},
		{"max_attempts", func(s *Spec) { s.OnInterrupt, s.MaxAttempts = Requeue, 11 }},
		{"max_attempts", func(s *Spec) { s.OnInterrupt, s.MaxAttempts = Requeue, 0 }},
		{"on_interrupt", func(s *Spec) { s.OnInterrupt = secret }},
		{"labels", func(s *Spec) { s.Labels = map[string]string{"Up": "x"} }},
		{"", func(s *Spec) { s.Labels = map[string]string{strings.Repeat("x", 63): "x"} }},
		{"labels", func(s *Spec) { s.Labels = map[string]string{strings.Repeat("x", 64): "x"} }},
		{"labels.team", func(s *Spec) { s.Labels["team"] = secret + "\n" }},
		{"labels.team", func(s *Spec) { s.Labels["team"] = strings.Repeat("x", 129) }},
		{"labels.team", func(s *Spec) { s.Labels["team"] = "\xff" }},
	} {
		field := test.field
		s := valid()
		test.breakIt(&s)
		err := s.Validate(DefaultLimits())
		if field == "" {
			if err != nil {
				t.Errorf("a valid spec: %v", err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Code != Invalid || len(e.Fields) != 1 || e.Fields[0].Location != field {
			t.Errorf("%s: %v", field, err)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error repeats the value: %v", field, err)
		}
	}
}

func TestValidateListsEveryProblemByItsPlace(t *testing.T) {
	s := Spec{Args: []string{"a\x00", "b", "c\x00"}, Queue: "none"}
	err := s.Validate(DefaultLimits())
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	var places []string
	for _, f := range e.Fields {
		places = append(places, f.Location)
	}
	want := "args[0] args[2] command max_attempts on_interrupt queue timeout_seconds"
	if got := strings.Join(places, " "); got != want {
		t.Errorf("%s", got)
	}
}

func FuzzLabelsAreTextOnOneLine(f *testing.F) {
	f.Add("team", "a")
	f.Add("a/b.c-d_e", "\u2028")
	f.Fuzz(func(t *testing.T, key, value string) {
		s := valid()
		s.Labels = map[string]string{key: value}
		if s.Validate(DefaultLimits()) != nil {
			return
		}
		if len(key) > 63 || len(value) > 128 || strings.ContainsAny(key+value, "\x00\r\n") {
			t.Errorf("%q: %q was taken", key, value)
		}
	})
}
