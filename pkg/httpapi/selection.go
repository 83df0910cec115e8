package httpapi

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Bounds of what one answer holds.
const (
	defaultEvents = 1000
	maxEvents     = 10000
	pageBytes     = 4 << 20 // of chunks and data: what one JSON page may hold in memory
	maxTail       = 100_000 // lines
)

// selection is what of a log a caller wants.
type selection struct {
	after  execution.Cursor
	limit  int
	stream execution.Stream // NoStream: everything
	types  []string         // none: all
	since  time.Time
	tail   int // lines before the end; 0: no such limit
	follow bool

	begun     cut  // where a tail begins within a chunk
	stamped   bool // text: each line begins with its time
	asAFile   bool // a browser is to save it
	extension string
}

// admits says whether e is wanted. Gaps always are: what is missing must show.
func (sel *selection) admits(e *execution.Event) bool {
	switch {
	case e.Type == execution.EventGap:
		return true
	case sel.stream != execution.NoStream && e.Stream != sel.stream:
		return false
	case len(sel.types) > 0 && !slices.Contains(sel.types, string(e.Type)):
		return false
	}
	return sel.since.IsZero() || !e.Time.Before(sel.since)
}

func (in *outputInput) selection() (sel selection, err error) {
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	sel.follow, sel.stamped, sel.asAFile, sel.types = in.Follow, in.Timestamps, in.Download, splitTypes(in.Types)
	sel.after, err = execution.ParseCursor(in.After)
	note(err)
	sel.limit, err = number("limit", in.Limit, 1, maxEvents, defaultEvents)
	note(err)
	sel.tail, err = number("tail", in.Tail, 1, maxTail, 0)
	note(err)
	sel.since, err = instant("since", in.Since)
	note(err)
	sel.stream, err = streamOf(in.Stream)
	note(err)
	return sel, mergeInvalid(problems...)
}

func streamOf(name string) (execution.Stream, error) {
	switch name {
	case "":
		return execution.NoStream, nil
	case "stdout":
		return execution.Stdout, nil
	case "stderr":
		return execution.Stderr, nil
	}
	return execution.NoStream, execution.InvalidField("stream", "must be stdout or stderr")
}

// splitTypes reads a list of event types with commas between.
func splitTypes(list string) (types []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			types = append(types, name)
		}
	}
	return types
}

// number reads a whole number between low and high from a query.
func number(name, value string, low, high, def int) (int, error) {
	if value == "" {
		return def, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, execution.InvalidField(name, "must be a whole number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high))
	}
	return n, nil
}
