package execution

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestATerminalStatusNeverChanges(t *testing.T) {
	terminal := map[Status]bool{Completed: true, Failed: true, Timeout: true, Cancelled: true, Errored: true}
	for _, from := range Statuses {
		if from.Terminal() != terminal[from] || !from.Valid() {
			t.Errorf("%s: terminal %v, valid %v", from, from.Terminal(), from.Valid())
		}
		for _, to := range Statuses {
			if from.CanBecome(to) && (from.Terminal() || from == to) {
				t.Errorf("%s can become %s", from, to)
			}
		}
	}
}

func TestTheStateMachineHasTheseEdgesAndNoOther(t *testing.T) {
	edges := map[string]bool{}
	for _, e := range []string{
		"queued running", "queued cancelled", "queued timeout", "queued error",
		"running queued", "running completed", "running failed", "running timeout", "running cancelled", "running error",
	} {
		edges[e] = true
	}
	for _, from := range Statuses {
		for _, to := range Statuses {
			if got := from.CanBecome(to); got != edges[string(from+" "+to)] {
				t.Errorf("%s to %s: %v", from, to, got)
			}
		}
	}
}

func TestAnUnknownStatusIsNeitherValidNorTerminal(t *testing.T) {
	for _, s := range []Status{"", "done", "canceled", "Running"} {
		if s.Valid() || s.Terminal() || s.CanBecome(Completed) || Running.CanBecome(s) {
			t.Errorf("%q", s)
		}
	}
}

func TestDurationRunsFromStartToEndOrToNow(t *testing.T) {
	start := at
	for _, test := range []struct {
		record Record
		want   time.Duration
	}{
		{Record{}, 0},
		{Record{EndedAt: start}, 0},
		{Record{StartedAt: start}, time.Minute},
		{Record{StartedAt: start, EndedAt: start.Add(time.Second)}, time.Second},
		{Record{StartedAt: start.Add(time.Hour)}, 0}, // another machine's clock is ahead
	} {
		if got := test.record.Duration(start.Add(time.Minute)); got != test.want {
			t.Errorf("%+v: %v", test.record, got)
		}
	}
}

func TestACodeIsFoundInAnErrorsChain(t *testing.T) {
	coded := &Error{Code: Unavailable, Message: "Redis is away", Err: errors.New("dial")}
	for _, test := range []struct {
		err  error
		want Code
	}{
		{nil, ""},
		{errors.New("x"), Internal},
		{ErrFenced, Internal},
		{coded, Unavailable},
		{fmt.Errorf("append: %w", coded), Unavailable},
		{errors.Join(errors.New("x"), coded), Unavailable},
		{InvalidField("after", "is odd"), Invalid},
	} {
		if got := CodeOf(test.err); got != test.want {
			t.Errorf("%v: %q", test.err, got)
		}
	}
	for err, want := range map[*Error]string{
		coded:                            "Redis is away: dial",
		{Code: NotFound}:                 "not_found",
		Errorf(Conflict, "%d is odd", 3): "3 is odd",
		InvalidField("after", "is odd"):  "the request is not valid; after is odd",
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err.Error(), want)
		}
	}
	if !errors.Is(coded, coded.Err) {
		t.Error("the cause underneath is lost")
	}
}
