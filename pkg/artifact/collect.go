package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Limits bound what one execution may keep.
type Limits struct {
	MaxFiles int   // ARTIFACTS_MAX_FILES
	MaxBytes int64 // ARTIFACTS_MAX_BYTES
}

// DefaultLimits hold where no setting says otherwise.
func DefaultLimits() Limits { return Limits{MaxFiles: 1000, MaxBytes: 1 << 30} }

// Summary says what Collect kept and what it did not.
type Summary struct {
	Files    int
	Bytes    int64
	Left     int      // files that were not kept
	Problems []string // for people: what was left, why, which setting to change
}

const (
	maxProblems  = 20      // more of them tell nobody anything
	maxEntries   = 100_000 // names of one folder that are read, so that memory stays bounded
	maxDepth     = 64
	maxPutErrors = 3 // in a row: the store is away, and each more would cost its whole timeout
)

// Collect keeps every regular file below dir, in order of their paths. Links
// are not followed, so nothing outside of dir is kept. It goes on past a file
// that fails and past one that is over a limit, and calls emit (which may be
// nil) for each file kept. Call it when the engine is gone. The error is for
// what stopped it altogether: dir cannot be opened, ctx ended, the store is away.
func Collect(ctx context.Context, st Store, id execution.ID, dir string, l Limits, emit func(Info)) (Summary, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Summary{}, nil // the engine removed its own output folder
		}
		return Summary{}, fmt.Errorf("open the output folder: %w", err)
	}
	defer root.Close()
	c := &collector{ctx: ctx, store: st, id: id, root: root, limits: l, emit: emit}
	err = c.folder(".", 0)
	c.overLimit()
	return c.sum, err
}

type collector struct {
	ctx    context.Context
	store  Store
	id     execution.ID
	root   *os.Root
	limits Limits
	emit   func(Info)

	sum        Summary
	hidden     int // problems beyond maxProblems
	overFiles  int // files left for MaxFiles
	overBytes  int // files left for MaxBytes
	unkept     int // files left since there is no store
	putErrors  int // in a row
	lastPutErr error
}

func (c *collector) folder(name string, depth int) error {
	if depth > maxDepth {
		c.problem("%s is nested deeper than %d folders", show(name), maxDepth)
		return nil
	}
	f, err := c.root.Open(name)
	if err != nil {
		c.problem("the folder %s cannot be read", show(name))
		return nil
	}
	entries, err := f.ReadDir(maxEntries)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if _, more := f.ReadDir(1); err == nil && more == nil {
		c.problem("the folder %s has more than %d entries; some were not looked at", show(name), maxEntries)
	}
	_ = f.Close() // it was only read
	if err != nil {
		c.problem("the folder %s cannot be read", show(name))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if err := c.entry(path.Join(name, e.Name()), e.Type(), depth); err != nil {
			return err
		}
	}
	return nil
}

// entry returns an error only where going on makes no sense.
func (c *collector) entry(name string, mode fs.FileMode, depth int) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	switch {
	case mode.IsDir():
		return c.folder(name, depth+1)
	case !mode.IsRegular():
		c.left("%s is %s, which is not kept: only regular files are", show(name), kindOf(mode))
		return nil
	}
	var invalid *execution.Error
	if err := CleanPath(name); errors.As(err, &invalid) {
		c.left("the path %s %s", show(name), invalid.Fields[0].Message)
		return nil
	}
	return c.file(name)
}

func (c *collector) file(name string) error {
	if c.sum.Files >= c.limits.MaxFiles {
		c.overFiles++
		return nil
	}
	// O_NONBLOCK: were the name a fifo by now, opening it would wait for a writer.
	f, err := c.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		c.left("%s cannot be read", show(name))
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		c.left("%s changed while it was read", show(name))
		return nil
	}
	if info.Size() > c.limits.MaxBytes-c.sum.Bytes {
		c.overBytes++
		return nil
	}
	sum := sha256.New()
	kept := describe(name, info.Size(), info.ModTime())
	err = c.store.Put(c.ctx, c.id, name, io.TeeReader(io.LimitReader(f, kept.Size), sum), kept.Size, kept.ContentType)
	switch {
	case errors.Is(err, ErrNone):
		c.unkept++
		return nil
	case err != nil && c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	case err != nil:
		return c.failed(name, err)
	}
	c.putErrors = 0
	c.sum.Files++
	c.sum.Bytes += kept.Size
	kept.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if c.emit != nil {
		c.emit(kept)
	}
	return nil
}

func (c *collector) failed(name string, err error) error {
	c.left("%s could not be stored", show(name))
	c.putErrors++
	c.lastPutErr = err
	if c.putErrors >= maxPutErrors {
		c.problem("the artifact store did not take %d files in a row, so the rest was left (the setting ARTIFACTS_URL)", maxPutErrors)
		return fmt.Errorf("store artifacts: %w", err)
	}
	return nil
}

// overLimit sums up what was left in great numbers for one reason.
func (c *collector) overLimit() {
	if c.overFiles > 0 {
		c.problem("%d files were left, since at most %d are kept (the setting ARTIFACTS_MAX_FILES)", c.overFiles, c.limits.MaxFiles)
	}
	if c.overBytes > 0 {
		c.problem("%d files were left, since at most %d bytes are kept (the setting ARTIFACTS_MAX_BYTES)", c.overBytes, c.limits.MaxBytes)
	}
	if c.unkept > 0 {
		c.problem("%d files were left, since there is no store for artifacts (the setting ARTIFACTS_URL)", c.unkept)
	}
	c.sum.Left += c.overFiles + c.overBytes + c.unkept
	if c.hidden > 0 {
		c.sum.Problems = append(c.sum.Problems, fmt.Sprintf("and %d more problems", c.hidden))
	}
}

func (c *collector) left(format string, args ...any) {
	c.sum.Left++
	c.problem(format, args...)
}

func (c *collector) problem(format string, args ...any) {
	if len(c.sum.Problems) >= maxProblems {
		c.hidden++
		return
	}
	c.sum.Problems = append(c.sum.Problems, fmt.Sprintf(format, args...))
}

// show quotes a name, which may be any bytes, and cuts it.
func show(name string) string {
	if len(name) > 120 {
		name = name[:120] + "…"
	}
	return fmt.Sprintf("%q", name)
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "no regular file"
}
