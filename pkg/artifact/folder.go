package artifact

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// folder keeps files as <dir>/<id>/<path>. os.Root keeps every access below
// dir, whatever links somebody may have put there.
type folder struct {
	root *os.Root
	sync bool
}

// tmpDir holds what is not complete yet. No id looks like it.
const tmpDir = ".tmp"

func openFolder(dir string, sync bool) (*folder, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of ARTIFACTS_URL: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of ARTIFACTS_URL: %w", err)
	}
	f := &folder{root, sync}
	f.sweep()
	return f, nil
}

// sweep removes what a crash left half written. A day is longer than any Put.
func (f *folder) sweep() {
	old, err := fs.ReadDir(f.root.FS(), tmpDir)
	if err != nil {
		return // not there yet
	}
	for _, e := range old {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = f.root.Remove(path.Join(tmpDir, e.Name())) // the next start tries again
		}
	}
}

func (f *folder) Put(ctx context.Context, id execution.ID, p string, r io.Reader, size int64, _ string) (err error) {
	if err := check(id, p); err != nil {
		return err
	}
	tmp := path.Join(tmpDir, rand.Text())
	if err := f.root.MkdirAll(tmpDir, 0o750); err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	w, err := f.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.root.Remove(tmp) // what stays is swept a day later
		}
	}()
	n, err := io.Copy(w, contextReader{ctx, r})
	if err == nil && f.sync {
		err = w.Sync()
	}
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err == nil && size >= 0 && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	// Rename is atomic: a reader sees the old file or the new one, whole.
	to := path.Join(string(id), p)
	if err := f.root.MkdirAll(path.Dir(to), 0o750); err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	if err := f.root.Rename(tmp, to); err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	return f.syncFolders(path.Dir(to))
}

// syncFolders makes a new name last, and those of the folders on its way.
func (f *folder) syncFolders(dir string) error {
	for ; f.sync; dir = path.Dir(dir) {
		d, err := f.root.Open(dir)
		if err != nil {
			return fmt.Errorf("keep artifact: %w", err)
		}
		err = d.Sync()
		_ = d.Close()
		if err != nil {
			return fmt.Errorf("keep artifact: %w", err)
		}
		if dir == "." {
			break
		}
	}
	return nil
}

func (f *folder) List(ctx context.Context, id execution.ID) ([]Info, error) {
	if _, err := execution.ParseID(string(id)); err != nil {
		return nil, err
	}
	var list []Info
	err := fs.WalkDir(f.root.FS(), string(id), func(name string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		list = append(list, describe(strings.TrimPrefix(name, string(id)+"/"), info.Size(), info.ModTime()))
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list artifacts: %w", err)
	}
	slices.SortFunc(list, func(a, b Info) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

func (f *folder) Open(_ context.Context, id execution.ID, p string) (Object, error) {
	if err := check(id, p); err != nil {
		return nil, err
	}
	name := path.Join(string(id), p)
	info, err := f.root.Lstat(name)
	if isBroken(err) {
		return nil, fmt.Errorf("open artifact: %w", err)
	}
	if err != nil || !info.Mode().IsRegular() {
		return nil, notFound(err)
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open artifact: %w", err)
	}
	return &folderObject{file, describe(p, info.Size(), info.ModTime())}, nil
}

// isBroken tells a disk that fails from a path that leads nowhere.
func isBroken(err error) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && errno != syscall.ENOENT && errno != syscall.ENOTDIR && errno != syscall.ELOOP
}

func (f *folder) Delete(_ context.Context, id execution.ID) error {
	if _, err := execution.ParseID(string(id)); err != nil {
		return err
	}
	if err := f.root.RemoveAll(string(id)); err != nil {
		return fmt.Errorf("delete artifacts: %w", err)
	}
	return nil
}

// Check writes and removes a file, since a folder may be full or read-only.
func (f *folder) Check(context.Context) error {
	name := path.Join(tmpDir, rand.Text())
	err := f.root.MkdirAll(tmpDir, 0o750)
	if err == nil {
		err = f.root.WriteFile(name, []byte("check"), 0o640)
	}
	if err == nil {
		err = f.root.Remove(name)
	}
	if err != nil {
		return fmt.Errorf("write to the folder of ARTIFACTS_URL: %w", err)
	}
	return nil
}

type folderObject struct {
	*os.File
	info Info
}

func (o *folderObject) Info() Info { return o.info }

// contextReader ends a copy when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
