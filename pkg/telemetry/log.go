// Package telemetry owns how Longhaul speaks to operators: the form of log
// lines, the names of metrics, and traces, for which it is the only owner of
// OpenTelemetry. It decides nothing, and starts no goroutine but the one of
// Traces, which Close ends.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// NewLogger writes to w, which should be stdout: Railway takes all of stderr
// for errors. The format is json, text, or auto: text on a terminal, else JSON.
func NewLogger(w io.Writer, format string, level slog.Level) *slog.Logger {
	terminal := isTerminal(w)
	if format == "text" || (format != "json" && terminal) {
		return slog.New(tint.NewTextHandler(w, &tint.Options{
			Level: level, TimeFormat: time.TimeOnly, NoColor: !terminal || os.Getenv("NO_COLOR") != "",
		}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: platformNames}))
}

// platformNames gives the fields the names that Railway's log search knows;
// others (Loki, Datadog, Vector) know them too. A duration reads "25s" and a
// cause "timeout", and neither as a number.
func platformNames(groups []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	case slog.KindAny:
		// JSON would make a number of a word such as a cause, which is one with a String.
		word, ok := a.Value.Any().(fmt.Stringer)
		if _, level := word.(slog.Level); ok && !level && reflect.TypeOf(word).Kind() == reflect.Int {
			a.Value = slog.StringValue(word.String())
		}
	}
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		if level, ok := a.Value.Any().(slog.Level); ok {
			a.Value = slog.StringValue(strings.ToLower(level.String()))
		}
	case slog.TimeKey:
		if a.Value.Kind() == slog.KindTime {
			a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		}
	}
	return a
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
