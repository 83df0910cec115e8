package artifact

import (
	"archive/tar"
	"bytes"
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Checkpoint is what an attempt left for the next one: a folder, kept as one
// object. Each attempt has an object of its own, so that one that was thought
// dead never changes what a later one has kept.
type Checkpoint struct {
	Attempt int // whose; 0: there is none
	Files   int
	Bytes   int64 // of the files, before compression
	Left    int   // links, devices and the like, which are not kept
}

// MaxCheckpointFiles bounds files and folders, since each interval looks at all of them.
const MaxCheckpointFiles = 10_000

// Reasons why there is no checkpoint that no second try mends.
var (
	ErrCheckpointTooLarge = errors.New("the checkpoint is too large")
	ErrCheckpointDamaged  = errors.New("the checkpoint is damaged")
)

// ErrCheckpointChanging says that a file became shorter while it was read:
// another try may do better.
var ErrCheckpointChanging = errors.New("a file of the checkpoint was cut while it was read")

// ErrCheckpointDisk says that the folder could not be read or written.
var ErrCheckpointDisk = errors.New("the folder of the checkpoint")

func checkpointPath(attempt int) string { return "checkpoint/" + strconv.Itoa(attempt) + ".tar.zst" }

// State tells one state of a checkpoint's folder from another.
type State struct {
	Sum string // of names, kinds, modes, sizes and times
	// Fresh: something has changed so shortly ago that another change need not
	// show in its time (a kernel's clock for files is coarse).
	Fresh bool
}

// freshFor is longer than the tick of any kernel's clock for files.
const freshFor = 100 * time.Millisecond

// CheckpointState looks at dir without reading the files.
func CheckpointState(dir string, maxBytes int64) (State, error) {
	sum, newest := sha256.New(), time.Time{}
	w := checkpointWalk{maxBytes: maxBytes, visit: func(name string, info fs.FileInfo) (int64, error) {
		fmt.Fprintf(sum, "%q %o %d %d\n", name, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return info.Size(), nil
	}}
	if err := w.walk(context.Background(), dir); err != nil {
		return State{}, err
	}
	return State{Sum: hex.EncodeToString(sum.Sum(nil)), Fresh: time.Since(newest).Abs() < freshFor}, nil
}

// smallCheckpoint is gathered in memory, so that its size is known: a bucket
// takes such an object in one request, and can be asked again.
const smallCheckpoint = 1 << 20

// SaveCheckpoint keeps dir as the checkpoint of an attempt, whole or not at
// all. A file is kept with the size that it has when it is opened; files need
// not all be of the same moment.
func SaveCheckpoint(ctx context.Context, st Store, id execution.ID, attempt int, dir string, maxBytes int64) (Checkpoint, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = r.CloseWithError(context.Cause(ctx)) }) // never fails
	defer stop()
	c, packed := Checkpoint{Attempt: attempt}, make(chan error, 1)
	go func() {
		err := c.pack(ctx, w, dir, maxBytes)
		_ = w.CloseWithError(err) // never fails
		packed <- err
	}()
	err := putCheckpoint(ctx, st, id, attempt, r)
	_ = r.CloseWithError(errPutOver) // lets pack end
	if perr := <-packed; perr != nil && !errors.Is(perr, errPutOver) {
		return Checkpoint{}, perr // the cause of the other
	}
	if err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}

var errPutOver = errors.New("the store takes no more")

func putCheckpoint(ctx context.Context, st Store, id execution.ID, attempt int, r io.Reader) error {
	head, err := io.ReadAll(io.LimitReader(r, smallCheckpoint))
	if err != nil {
		return err
	}
	size := int64(-1)
	if len(head) < smallCheckpoint {
		size = int64(len(head))
	}
	return st.Put(ctx, id, checkpointPath(attempt), io.MultiReader(bytes.NewReader(head), r), size, "application/zstd")
}

// pack writes dir to w as a compressed archive.
func (c *Checkpoint) pack(ctx context.Context, w io.Writer, dir string, maxBytes int64) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return fmt.Errorf("compress the checkpoint: %w", err)
	}
	archive := tar.NewWriter(z)
	walk := checkpointWalk{maxBytes: maxBytes}
	walk.visit = func(name string, info fs.FileInfo) (int64, error) {
		if info.IsDir() {
			return 0, archive.WriteHeader(checkpointHeader(name, info))
		}
		n, kept, err := packFile(walk.root, archive, name, maxBytes-walk.bytes)
		if kept {
			c.Files++
			c.Bytes += n
		}
		return n, err
	}
	if err := walk.walk(ctx, dir); err != nil {
		return err
	}
	c.Left = walk.left
	if err := archive.Close(); err != nil {
		return err
	}
	return z.Close()
}

func checkpointHeader(name string, info fs.FileInfo) *tar.Header {
	h := &tar.Header{Format: tar.FormatPAX, Name: name, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Typeflag: tar.TypeDir}
	if info.Mode().IsRegular() {
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
	} else {
		h.Name += "/"
	}
	return h
}

// packFile adds a file with the size that it has now. One that is no longer
// there was renamed or removed, and is left out.
func packFile(root *os.Root, archive *tar.Writer, name string, room int64) (n int64, kept bool, err error) {
	// O_NONBLOCK: were the name a fifo by now, opening it would wait for a writer.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, false, fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	}
	if !info.Mode().IsRegular() {
		return 0, false, nil
	}
	if info.Size() > room {
		return 0, false, ErrCheckpointTooLarge
	}
	if err := archive.WriteHeader(checkpointHeader(name, info)); err != nil {
		return 0, false, err
	}
	n, err = io.CopyN(archive, f, info.Size())
	if errors.Is(err, io.EOF) {
		err = ErrCheckpointChanging
	}
	return n, err == nil, err
}

// checkpointWalk goes through the folder in the order of names. It never
// leaves it, and holds the names of one branch only.
type checkpointWalk struct {
	maxBytes int64
	visit    func(name string, info fs.FileInfo) (size int64, err error)

	root    *os.Root
	entries int
	bytes   int64
	left    int
}

func (w *checkpointWalk) walk(ctx context.Context, dir string) (err error) {
	if w.root, err = os.OpenRoot(dir); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	}
	defer w.root.Close()
	return w.folder(ctx, ".", 0)
}

func (w *checkpointWalk) folder(ctx context.Context, name string, depth int) error {
	f, err := w.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) && depth > 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	}
	entries, err := f.ReadDir(MaxCheckpointFiles + 1)
	_ = f.Close() // it was only read
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	}
	if depth > maxDepth || w.entries+len(entries) > MaxCheckpointFiles {
		return ErrCheckpointTooLarge
	}
	w.entries += len(entries)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.entry(ctx, path.Join(name, e.Name()), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *checkpointWalk) entry(ctx context.Context, name string, depth int) error {
	info, err := w.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // renamed or removed since it was listed
	case err != nil:
		return fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	case !info.IsDir() && !info.Mode().IsRegular():
		w.left++
		return nil
	}
	n, err := w.visit(name, info)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return w.folder(ctx, name, depth+1)
	}
	if w.bytes += n; w.bytes > w.maxBytes {
		return ErrCheckpointTooLarge
	}
	return nil
}
