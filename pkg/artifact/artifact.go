// Package artifact owns the files that engines leave behind: it collects them
// from a workdir and keeps them in a store, a folder or an S3 bucket. It does
// not say who may read them (httpapi does) nor when they end (retention is the
// reaper's). It starts no goroutine that outlives a call.
package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Info describes one kept file.
type Info struct {
	Path        string    `json:"path"` // clean, with slashes, below the execution's outputs
	Size        int64     `json:"size"`
	ContentType string    `json:"content_type"` // by extension, so every store says the same
	ModTime     time.Time `json:"mod_time"`
	SHA256      string    `json:"sha256,omitempty"` // known to Collect only
}

// Object is an open artifact, made for http.ServeContent: ranges are by Seek.
type Object interface {
	io.ReadSeekCloser
	Info() Info
}

// Store keeps files per execution. Paths are as CleanPath wants them. A file
// that is not there is an *execution.Error of code NotFound; Delete of nothing
// is no error.
type Store interface {
	// Put keeps what r gives, whole or not at all, over what was there before.
	// A negative size is an unknown one.
	Put(ctx context.Context, id execution.ID, path string, r io.Reader, size int64, contentType string) error
	// List gives all files of an execution, by path.
	List(ctx context.Context, id execution.ID) ([]Info, error)
	// Open needs ctx for as long as the object is read.
	Open(ctx context.Context, id execution.ID, path string) (Object, error)
	Delete(ctx context.Context, id execution.ID) error
	// Check says whether files could be kept now.
	Check(ctx context.Context) error
}

// Longest names: 255 bytes is what Linux takes for one, and an S3 key of 1024
// bytes must also hold the prefix and the execution's id.
const (
	maxNameBytes = 255
	maxPathBytes = 900
)

// CleanPath is the one place that decides which paths exist. It changes nothing:
// a path that would need cleaning is refused.
func CleanPath(p string) error {
	problem := ""
	switch {
	case p == "" || p == ".":
		problem = "is empty"
	case !utf8.ValidString(p):
		problem = "is not valid UTF-8"
	case len(p) > maxPathBytes:
		problem = fmt.Sprintf("is longer than %d bytes", maxPathBytes)
	case strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
		problem = "holds a control character or a backslash"
	case p[0] == '/' || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../"):
		problem = "is not relative and clean: no leading slash, no '.', '..' or empty part"
	}
	for name := range strings.SplitSeq(p, "/") {
		if problem == "" && len(name) > maxNameBytes {
			problem = fmt.Sprintf("has a name longer than %d bytes", maxNameBytes)
		}
	}
	if problem != "" {
		return execution.InvalidField("path", problem)
	}
	return nil
}

// check admits what may become part of a key or file name.
func check(id execution.ID, p string) error {
	if _, err := execution.ParseID(string(id)); err != nil {
		return err
	}
	return CleanPath(p)
}

func notFound(err error) error {
	return &execution.Error{Code: execution.NotFound, Message: "no such artifact: /outputs/{id} lists those of an execution", Err: err}
}

// ErrNone says that files are not kept, since no store is set.
var ErrNone = errors.New("artifacts are not kept: set ARTIFACTS_URL to file:///a/folder or s3://bucket/prefix")

// none stands where no store is set.
type none struct{}

func (none) Put(context.Context, execution.ID, string, io.Reader, int64, string) error {
	return ErrNone
}
func (none) List(context.Context, execution.ID) ([]Info, error) { return nil, nil }
func (none) Open(context.Context, execution.ID, string) (Object, error) {
	return nil, notFound(ErrNone)
}
func (none) Delete(context.Context, execution.ID) error { return nil }
func (none) Check(context.Context) error                { return nil }
