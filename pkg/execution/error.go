package execution

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Code is the kind of an Error: stable, on the wire as the problem's code.
type Code string

// The codes. httpapi maps each to one HTTP status in one table.
const (
	Invalid         Code = "invalid"           // the request's fault; Fields say where
	Unauthorized    Code = "unauthorized"      // no valid token
	Forbidden       Code = "forbidden"         // a valid token, not for this
	NotFound        Code = "not_found"         // no such execution, artifact, route
	Conflict        Code = "conflict"          // the execution's state forbids it
	IdempotencyUsed Code = "idempotency_reuse" // the key came with another body before
	TooLarge        Code = "too_large"         // body over its limit
	QueueFull       Code = "queue_full"        // MAX_QUEUE_SIZE reached
	Unavailable     Code = "unavailable"       // Redis is away
	StorageFull     Code = "storage_full"      // Redis is at maxmemory
	Internal        Code = "internal"          // a defect of ours
)

// Error is the one error type that crosses package borders with a meaning for
// the caller. Message is for people: it names the cause and the setting to
// change, and never repeats a value of the request.
type Error struct {
	Code    Code
	Message string
	Fields  []Field // only with Invalid
	Err     error   // the cause underneath, for logs only
}

// Field is one problem of a request, located as "args[3]" or "labels.team".
type Field struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = string(e.Code)
	}
	for _, f := range e.Fields {
		s += "; " + f.Location + " " + f.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause underneath.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of code c.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}

// CodeOf finds the code in err's chain; Internal where there is none, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// InvalidField is an Error of code Invalid with a single field.
func InvalidField(location, message string) *Error {
	return &Error{Code: Invalid, Message: "the request is not valid", Fields: []Field{{location, message}}}
}

// problems gathers fields, so that a caller learns of all of them at once.
type problems struct{ fields []Field }

func (p *problems) add(location, message string) {
	p.fields = append(p.fields, Field{location, message})
}

func (p *problems) addf(location, format string, args ...any) {
	p.add(location, fmt.Sprintf(format, args...))
}

// text checks what will become an argument or variable of a process: the
// kernel takes no NUL and has limits of its own.
func (p *problems) text(location, s string, limit int) {
	if len(s) > limit {
		p.addf(location, "is %d bytes; at most %d are taken", len(s), limit)
	}
	if strings.ContainsRune(s, 0) {
		p.add(location, "holds a NUL byte, which no process can take")
	}
}

func (p *problems) err() error {
	if len(p.fields) == 0 {
		return nil
	}
	sort.SliceStable(p.fields, func(i, j int) bool { return p.fields[i].Location < p.fields[j].Location })
	return &Error{Code: Invalid, Message: "the request is not valid", Fields: p.fields}
}

// ErrFenced says that a write came from an attempt that no longer holds the
// execution: another has claimed it, or it has ended. The writer must stop its
// engine and write nothing more.
var ErrFenced = errors.New("fenced: this attempt no longer holds the execution")
