package artifact

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/longhaul/longhaul/pkg/execution"
)

// RestoreCheckpoint makes dir, which must not be there, from the newest
// checkpoint of an attempt before the one given. Where there is none, dir is
// empty. After an error dir may be there in part.
func RestoreCheckpoint(ctx context.Context, st Store, id execution.ID, before int, dir string, maxBytes int64) (Checkpoint, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	}
	for attempt := before - 1; attempt > 0; attempt-- {
		o, err := st.Open(ctx, id, checkpointPath(attempt))
		if execution.CodeOf(err) == execution.NotFound {
			continue
		}
		if err != nil {
			return Checkpoint{Attempt: attempt}, err
		}
		defer o.Close()
		c := Checkpoint{Attempt: attempt}
		return c, c.unpack(ctx, o, dir, maxBytes)
	}
	return Checkpoint{}, nil
}

// source remembers what went wrong with the store: all else that is wrong
// with an archive is damage.
type source struct {
	r     io.Reader
	bytes int64
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.bytes += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (c *Checkpoint) unpack(ctx context.Context, r io.Reader, dir string, maxBytes int64) error {
	root, err := os.OpenRoot(dir) // whatever an archive says, nothing leaves dir
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	}
	defer root.Close()
	src := &source{r: contextReader{ctx, r}}
	z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return fmt.Errorf("decompress the checkpoint: %w", err)
	}
	defer z.Close()
	u := &unpacker{c: c, root: root, maxBytes: maxBytes}
	err = u.all(tar.NewReader(z))
	if err == nil && src.bytes == 0 {
		err = io.ErrUnexpectedEOF // zstd takes nothing at all for an empty archive
	}
	if err == nil {
		// To the very end, where the sum over everything is.
		if n, end := io.Copy(io.Discard, io.LimitReader(z, 1<<20)); end != nil || n == 1<<20 {
			err = fmt.Errorf("after the archive: %w", errors.Join(end, ErrCheckpointDamaged))
		}
	}
	switch {
	case err == nil:
		return u.finish()
	case src.err != nil:
		return fmt.Errorf("read the checkpoint: %w", src.err)
	case errors.Is(err, ErrCheckpointDisk) || errors.Is(err, ErrCheckpointTooLarge):
		return err
	}
	return fmt.Errorf("%w: %w", ErrCheckpointDamaged, err)
}

type unpacker struct {
	c        *Checkpoint
	root     *os.Root
	maxBytes int64
	entries  int
	folders  []*tar.Header
}

func (u *unpacker) all(archive *tar.Reader) error {
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if u.entries++; u.entries > MaxCheckpointFiles || h.Size > u.maxBytes-u.c.Bytes {
			return ErrCheckpointTooLarge
		}
		if !filepath.IsLocal(h.Name) {
			return errors.New("an entry's path leads out of the folder")
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = u.folder(h)
		case tar.TypeReg:
			err = u.file(h, archive)
		default:
			err = fmt.Errorf("an entry is of the kind %q", h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}

// folder makes one that can be written to; finish gives it its own mode.
func (u *unpacker) folder(h *tar.Header) error {
	u.folders = append(u.folders, h)
	return u.made(u.root.Mkdir(filepath.Clean(h.Name), 0o700))
}

// made tells an archive that names something twice, or in a folder that it
// does not have, from a disk that does not work.
func (u *unpacker) made(err error) error {
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
}

func (u *unpacker) file(h *tar.Header, r io.Reader) error {
	f, err := u.root.OpenFile(h.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return u.made(err)
	}
	_, err = io.CopyN(diskWriter{f}, r, h.Size)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("%w: %w", ErrCheckpointDisk, cerr)
	}
	if err != nil {
		return err
	}
	u.c.Files++
	u.c.Bytes += h.Size
	return u.look(h)
}

// finish works from the innermost folder out: a folder may be closed to us
// once it has its mode, and its time changes with what is put into it.
func (u *unpacker) finish() error {
	for _, h := range slices.Backward(u.folders) {
		if err := u.look(h); err != nil {
			return err
		}
	}
	return nil
}

// look gives an entry its mode and time.
func (u *unpacker) look(h *tar.Header) error {
	name := filepath.Clean(h.Name)
	err := u.root.Chtimes(name, time.Time{}, h.ModTime)
	if err == nil {
		err = u.root.Chmod(name, fs.FileMode(h.Mode).Perm())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	}
	return nil
}

// diskWriter marks the errors of the disk, among those of what is read.
type diskWriter struct{ f *os.File }

func (w diskWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrCheckpointDisk, err)
	}
	return n, err
}
