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

	"github.com/longhaul/longhaul/pkg/execution"
)

// Inputs are the files that a request brought for its engine. They are kept
// beside what engines leave, and go with the execution.

// Reasons why inputs are not there that no second try mends.
var (
	ErrInputChanged = errors.New("an input file is not what was brought with the request")
	ErrInputDisk    = errors.New("the folder of the input files")
)

func inputPath(p string) string { return "inputs/" + p }

// PutInput keeps one file as it comes, and says what came.
func PutInput(ctx context.Context, st Store, id execution.ID, p string, r io.Reader) (execution.File, error) {
	if err := CleanPath(p); err != nil {
		return execution.File{}, err
	}
	sum, n := sha256.New(), &counter{}
	err := st.Put(ctx, id, inputPath(p), io.TeeReader(r, io.MultiWriter(sum, n)), -1, "application/octet-stream")
	return execution.File{Path: p, Size: n.bytes, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

type counter struct{ bytes int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return len(p), nil
}

// CopyInputs gives the files of one execution to another.
func CopyInputs(ctx context.Context, st Store, from, to execution.ID, files []execution.File) error {
	for _, f := range files {
		o, err := st.Open(ctx, from, inputPath(f.Path))
		if err != nil {
			return fmt.Errorf("open an input file: %w", err)
		}
		err = st.Put(ctx, to, inputPath(f.Path), o, f.Size, "application/octet-stream")
		_ = o.Close() // it was only read
		if err != nil {
			return fmt.Errorf("keep an input file: %w", err)
		}
	}
	return nil
}

// FetchInputs puts files into dir, and sees that each is what came. What was
// there of an earlier try is replaced.
func FetchInputs(ctx context.Context, st Store, id execution.ID, files []execution.File, dir string) error {
	root, err := os.OpenRoot(dir) // whatever a path says, nothing leaves dir
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInputDisk, err)
	}
	defer root.Close()
	for _, f := range files {
		if err := CleanPath(f.Path); err != nil {
			return err
		}
		if err := fetchInput(ctx, st, id, f, root); err != nil {
			return err
		}
	}
	return nil
}

func fetchInput(ctx context.Context, st Store, id execution.ID, f execution.File, root *os.Root) error {
	o, err := st.Open(ctx, id, inputPath(f.Path))
	if execution.CodeOf(err) == execution.NotFound {
		return fmt.Errorf("%w: it is not in the store: %w", ErrInputChanged, err)
	}
	if err != nil {
		return fmt.Errorf("open an input file: %w", err)
	}
	defer o.Close()
	if err := root.MkdirAll(path.Dir(f.Path), 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrInputDisk, err)
	}
	if err := root.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrInputDisk, err)
	}
	w, err := root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInputDisk, err)
	}
	src, sum := &source{r: contextReader{ctx, o}}, sha256.New()
	// One byte more than there should be: a file that has grown is not ours.
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(src, f.Size+1))
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	switch {
	case src.err != nil:
		return fmt.Errorf("read an input file: %w", src.err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInputDisk, err)
	case n != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256:
		return fmt.Errorf("%w: %s", ErrInputChanged, show(f.Path))
	}
	return nil
}
