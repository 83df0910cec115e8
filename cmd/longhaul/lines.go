package main

import (
	"bytes"
	"regexp"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// lineFilter makes lines of an engine's chunks, each stream apart, to put a
// time before each and to drop those that are not wanted.
type lineFilter struct {
	stamps  bool
	grep    *regexp.Regexp // nil: every line
	partial [2]struct {
		text []byte
		at   time.Time
	}
}

// mostLine bounds a line that has no end; it is cut there.
const mostLine = 1 << 20

// take gives what can be written now.
func (f *lineFilter) take(toErr bool, p []byte, at time.Time) []byte {
	part := &f.partial[index(toErr)]
	var out []byte
	for len(p) > 0 {
		if len(part.text) == 0 {
			part.at = at
		}
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		part.text, p = append(part.text, line...), rest
		if whole || len(part.text) >= mostLine {
			out = f.append(out, append(part.text, '\n'), part.at)
			part.text = part.text[:0]
		}
	}
	return out
}

// rest gives a last line without an end.
func (f *lineFilter) rest(toErr bool) []byte {
	part := &f.partial[index(toErr)]
	if len(part.text) == 0 {
		return nil
	}
	line := part.text
	part.text = nil
	return f.append(nil, line, part.at)
}

func (f *lineFilter) append(out, line []byte, at time.Time) []byte {
	if f.grep != nil && !f.grep.Match(bytes.TrimSuffix(line, []byte("\n"))) {
		return out
	}
	if f.stamps {
		out = append(at.UTC().AppendFormat(out, execution.TimeFormat), ' ')
	}
	return append(out, line...)
}

func index(toErr bool) int {
	if toErr {
		return 1
	}
	return 0
}
