package main

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// terminal does what the few sequences that a screen writes mean.
type terminal struct {
	rows []string
	at   int
}

var sequence = regexp.MustCompile(`^\x1b\[(\d*)([A-Za-z])`)

func (t *terminal) Write(p []byte) (int, error) {
	for rest := string(p); rest != ""; {
		for t.at >= len(t.rows) {
			t.rows = append(t.rows, "")
		}
		if m := sequence.FindStringSubmatch(rest); m != nil {
			n, _ := strconv.Atoi(m[1])
			switch m[2] {
			case "A":
				t.at -= n
			case "J":
				t.rows = append(t.rows[:t.at], "")
			case "K": // the row was written anew from its beginning
			}
			rest = rest[len(m[0]):]
			continue
		}
		switch c := rest[0]; c {
		case '\n':
			t.at++
		case '\r':
			for i := t.at; i < len(t.rows); i++ {
				t.rows[i] = "" // all that follows is written anew
			}
		default:
			t.rows[t.at] += string(c)
		}
		rest = rest[1:]
	}
	return len(p), nil
}

func (t *terminal) String() string { return strings.TrimRight(strings.Join(t.rows, "\n"), "\n") }

func TestLinesBelowTheOutputNeverMixWithIt(t *testing.T) {
	term := &terminal{}
	s := &screen{out: term, err: term, width: func() int { return 40 }, shared: true}
	t.Setenv("CLICOLOR_FORCE", "1") // a buffer is no terminal, and would get no sequences
	t.Setenv("NO_COLOR", "1")
	below := "one\ntwo"
	end := s.run(func() string { return below })
	want := func(text string) {
		t.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		if got := colours.ReplaceAllString(term.String(), ""); got != text {
			t.Fatalf("the terminal shows\n%s\nwant\n%s", got, text)
		}
	}
	want("one\ntwo")
	_ = s.write(false, []byte("out 1\n"))
	want("out 1\none\ntwo")
	s.mu.Lock()
	below = "only"
	s.mu.Unlock()
	s.refresh()
	want("out 1\nonly")
	_ = s.write(true, []byte("in the middle"))
	want("out 1\nin the middle")
	s.refresh()
	want("out 1\nin the middle")
	_ = s.write(false, []byte(" of a line\n"))
	want("out 1\nin the middle of a line\nonly")
	_ = s.write(false, []byte("half"))
	s.say("ours")
	want("out 1\nin the middle of a line\nhalf\nlonghaul: ours\nonly")
	end()
	want("out 1\nin the middle of a line\nhalf\nlonghaul: ours")
}

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func TestWithoutATerminalThereIsNothingButTheOutput(t *testing.T) {
	var out, err bytes.Buffer
	s := newScreen(&out, &err)
	defer s.run(func() string { return "below" })()
	_ = s.write(false, []byte("a\x1b[31m"))
	_ = s.write(true, []byte("b"))
	s.refresh()
	if out.String() != "a\x1b[31m" || err.String() != "b" {
		t.Errorf("%q and %q", out.String(), err.String())
	}
}

func TestProgressIsToldEveryTenPercentAndForEachMessage(t *testing.T) {
	s := newState(nil)
	var told []string
	for i, data := range []string{
		`{"percent":1}`, `{"percent":9.9}`, `{"percent":10}`, `{"percent":12,"message":"reading"}`, `{"percent":13,"message":"reading"}`,
		`{"percent":100,"message":"done"}`, `{"message":"done"}`,
	} {
		line, err := s.take(&api.Event{Seq: execution.Cursor(i + 1), Type: execution.EventProgress, Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		if line != "" {
			told = append(told, line)
		}
	}
	want := "progress 1%|progress 10%|progress 12% reading|progress 100% done"
	if got := strings.Join(told, "|"); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}
