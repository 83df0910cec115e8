package artifact

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/longhaul/longhaul/pkg/execution"
)

const plenty = 64 << 20

// look describes a folder: what must come back as it was.
func look(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		if d.Type().IsRegular() {
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			content = fmt.Sprintf("%d %x", len(data), data[:min(len(data), 20)])
		}
		fmt.Fprintf(&b, "%q %v %d %s\n", strings.TrimPrefix(p, dir), info.Mode(), info.ModTime().UnixNano(), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func save(t *testing.T, st Store, attempt int, dir string) Checkpoint {
	t.Helper()
	c, err := SaveCheckpoint(t.Context(), st, id, attempt, dir, plenty)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func restore(t *testing.T, st Store, before int) (string, Checkpoint) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	c, err := RestoreCheckpoint(t.Context(), st, id, before, dir, plenty)
	if err != nil {
		t.Fatal(err)
	}
	return dir, c
}

func TestACheckpointComesBackAsItWas(t *testing.T) {
	eachStore(t, func(t *testing.T, st Store) {
		random := make([]byte, 20<<20) // more than one part of an upload
		_, _ = rand.Read(random)       // never fails
		dir := tree(t, map[string]string{
			"step": "17", "empty": "", "a/b/c/deep.txt": "deep", "big": string(random),
			"odd \n name": "1", "ünïcode": "2", "no\xffutf8": "3", ".hidden": "4", "-rf": "5",
			strings.Repeat("long", 60): "6", strings.Repeat("folder/", 40) + "x": "7",
		})
		for name, mode := range map[string]fs.FileMode{"step": 0o755, "empty": 0o400, ".hidden": 0o600} {
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
		closed := filepath.Join(dir, "no-entry")
		if err := errors.Join(os.Mkdir(closed, 0o755), os.WriteFile(filepath.Join(closed, "f"), []byte("8"), 0o644), os.Chmod(closed, 0o500),
			os.Mkdir(filepath.Join(dir, "nothing in it"), 0o711)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(closed, 0o700) })
		old := time.Unix(1_000_000_000, 123_456_789)
		if err := errors.Join(os.Chtimes(filepath.Join(dir, "step"), old, old), os.Chtimes(filepath.Join(dir, "a/b"), old, old)); err != nil {
			t.Fatal(err)
		}
		saved := save(t, st, 1, dir)
		got, c := restore(t, st, 2)
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(got, "no-entry"), 0o700) })
		if want, have := look(t, dir), look(t, got); want != have {
			t.Errorf("it was\n%s\nand came back as\n%s", want, have)
		}
		if data, err := os.ReadFile(filepath.Join(got, "big")); err != nil || !bytes.Equal(data, random) {
			t.Errorf("the large file is another: %v", err)
		}
		if saved.Files != 12 || saved.Bytes < 20<<20 || c != (Checkpoint{Attempt: 1, Files: saved.Files, Bytes: saved.Bytes}) {
			t.Errorf("saved %+v, restored %+v", saved, c)
		}
		// It is the same state, or a restore would be saved again for nothing.
		before, err := CheckpointState(dir, plenty)
		after, aerr := CheckpointState(got, plenty)
		if err := errors.Join(err, aerr); err != nil || before.Sum != after.Sum {
			t.Errorf("states differ, %v", err)
		}
	})
}

func TestTheNewestEarlierAttemptCounts(t *testing.T) {
	eachStore(t, func(t *testing.T, st Store) {
		if dir, c := restore(t, st, 5); c.Attempt != 0 || look(t, dir) != "" {
			t.Errorf("of nothing: %+v", c)
		}
		for _, attempt := range []int{4, 1, 2} { // 4 is the one that asks; 1 was saved late, by a zombie
			save(t, st, attempt, tree(t, map[string]string{"attempt": fmt.Sprint(attempt)}))
		}
		dir, c := restore(t, st, 4)
		if data, err := os.ReadFile(filepath.Join(dir, "attempt")); err != nil || string(data) != "2" || c.Attempt != 2 {
			t.Errorf("%q, %+v, %v", data, c, err)
		}
		if err := st.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if _, c := restore(t, st, 4); c.Attempt != 0 {
			t.Errorf("after Delete: %+v", c)
		}
	})
}

func TestAnEmptiedFolderIsACheckpointToo(t *testing.T) {
	st := folderStore(t)
	save(t, st, 1, tree(t, map[string]string{"step": "1"}))
	save(t, st, 2, t.TempDir())
	if dir, c := restore(t, st, 3); c.Attempt != 2 || look(t, dir) != "" {
		t.Errorf("%+v, %s", c, look(t, dir))
	}
}

func TestOnlyFilesAndFoldersAreInACheckpoint(t *testing.T) {
	st, dir := folderStore(t), tree(t, map[string]string{"file": "x"})
	if err := errors.Join(os.Symlink("/etc/passwd", filepath.Join(dir, "link")), os.Symlink("/etc", filepath.Join(dir, "folder")),
		syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if c := save(t, st, 1, dir); c.Files != 1 || c.Left != 3 {
		t.Errorf("%+v", c)
	}
	got, _ := restore(t, st, 2)
	if entries, err := os.ReadDir(got); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestACheckpointBeyondItsLimitsIsNotKept(t *testing.T) {
	st := folderStore(t)
	small := tree(t, map[string]string{"a": "12345", "b": "12345"})
	many := t.TempDir()
	for i := range MaxCheckpointFiles + 1 {
		if err := os.WriteFile(filepath.Join(many, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	deep := tree(t, map[string]string{strings.Repeat("d/", maxDepth+1) + "x": ""})
	for name, c := range map[string]struct {
		dir string
		max int64
	}{"bytes": {small, 9}, "files": {many, plenty}, "depth": {deep, plenty}} {
		_, err := SaveCheckpoint(t.Context(), st, id, 1, c.dir, c.max)
		_, serr := CheckpointState(c.dir, c.max)
		if !errors.Is(err, ErrCheckpointTooLarge) || !errors.Is(serr, ErrCheckpointTooLarge) {
			t.Errorf("%s: %v; %v", name, err, serr)
		}
	}
	if list, err := st.List(t.Context(), id); err != nil || len(list) != 0 {
		t.Errorf("kept all the same: %v, %v", list, err)
	}
	if _, err := SaveCheckpoint(t.Context(), st, id, 1, small, 10); err != nil {
		t.Errorf("exactly at the limit: %v", err)
	}
}

func TestAFileThatGrowsIsKeptAsItWasAndOneThatIsCutEndsTheRound(t *testing.T) {
	st := folderStore(t)
	dir := tree(t, map[string]string{"log": strings.Repeat("x", 3<<20), "other": "1"})
	file := filepath.Join(dir, "log")
	for name, change := range map[string]func() error{
		"grows": func() error {
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("more")
			return err
		},
		"cut": func() error { return os.Truncate(file, 1<<20) },
	} {
		if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 3<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		// What is packed waits for its reader, so the change comes in the middle of the file.
		r, w := io.Pipe()
		packed := make(chan error, 1)
		go func() {
			err := (&Checkpoint{}).pack(t.Context(), w, dir, plenty)
			_ = w.CloseWithError(err)
			packed <- err
		}()
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		archive := tar.NewReader(z)
		h, err := archive.Next()
		if err != nil || h.Name != "log" || h.Size != 3<<20 {
			t.Fatalf("%+v, %v", h, err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		n, _ := io.Copy(io.Discard, archive)
		_, _ = io.Copy(io.Discard, r)
		err = <-packed
		z.Close()
		if name == "grows" && (err != nil || n != 3<<20) {
			t.Errorf("grows: %v, %d bytes", err, n)
		}
		if name == "cut" && !errors.Is(err, ErrCheckpointChanging) {
			t.Errorf("cut: %v", err)
		}
	}
	if list, _ := st.List(t.Context(), id); len(list) != 0 {
		t.Errorf("kept: %v", list)
	}
}

func TestAStateTellsEveryChangeOfTheFolder(t *testing.T) {
	dir := tree(t, map[string]string{"a": "1", "sub/b": "2"})
	seen := map[string]string{}
	look := func(what string) State {
		s, err := CheckpointState(dir, plenty)
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[s.Sum]; ok {
			t.Errorf("%q looks like %q", what, before)
		}
		seen[s.Sum] = what
		return s
	}
	if s := look("new"); !s.Fresh {
		t.Error("what was written a moment ago is not fresh")
	}
	a := filepath.Join(dir, "a")
	old := time.Now().Add(-time.Hour)
	for what, change := range map[string]func() error{
		"time":   func() error { return os.Chtimes(a, old, old) },
		"mode":   func() error { return os.Chmod(a, 0o700) },
		"size":   func() error { return os.WriteFile(a, []byte("123"), 0o644) },
		"name":   func() error { return os.Rename(filepath.Join(dir, "sub/b"), filepath.Join(dir, "sub/c")) },
		"folder": func() error { return os.Mkdir(filepath.Join(dir, "new"), 0o755) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		look(what)
	}
	for _, name := range []string{"a", "sub/c", "sub", "new"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if s := look("old"); s.Fresh {
		t.Error("what was written an hour ago is fresh")
	}
}

// crafted is an archive as nobody packs it.
func crafted(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, h := range entries {
		h.Mode, h.Format = 0o644, tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestADamagedOrCraftedArchiveIsRefusedAndNothingLeavesTheFolder(t *testing.T) {
	whole := crafted(t, tar.Header{Name: "a", Size: 5000}, tar.Header{Name: "b", Size: 5000})
	flipped := slices.Clone(whole)
	flipped[len(flipped)-2] ^= 0x40 // in the sum at the end
	outside := filepath.Join(t.TempDir(), "outside")
	file, link := tar.Header{Name: "x", Size: 1}, tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}
	for name, c := range map[string]struct {
		archive []byte
		want    error
	}{
		"no archive":          {[]byte("<html>502 Bad Gateway</html>"), ErrCheckpointDamaged},
		"empty":               {nil, ErrCheckpointDamaged},
		"cut":                 {whole[:len(whole)-7], ErrCheckpointDamaged},
		"cut in half":         {whole[:len(whole)/2], ErrCheckpointDamaged},
		"a flipped bit":       {flipped, ErrCheckpointDamaged},
		"more behind it":      {append(slices.Clone(whole), "garbage"...), ErrCheckpointDamaged},
		"up and out":          {crafted(t, tar.Header{Name: "../outside", Size: 1}), ErrCheckpointDamaged},
		"up and out, hidden":  {crafted(t, tar.Header{Name: "a/../../outside", Size: 1}), ErrCheckpointDamaged},
		"absolute":            {crafted(t, tar.Header{Name: outside, Size: 1}), ErrCheckpointDamaged},
		"a link":              {crafted(t, link), ErrCheckpointDamaged},
		"a hard link":         {crafted(t, file, tar.Header{Name: "y", Typeflag: tar.TypeLink, Linkname: "x"}), ErrCheckpointDamaged},
		"a device":            {crafted(t, tar.Header{Name: "null", Typeflag: tar.TypeChar}), ErrCheckpointDamaged},
		"a fifo":              {crafted(t, tar.Header{Name: "fifo", Typeflag: tar.TypeFifo}), ErrCheckpointDamaged},
		"the same name twice": {crafted(t, file, file), ErrCheckpointDamaged},
		"no folder":           {crafted(t, tar.Header{Name: "no/such/file", Size: 1}), ErrCheckpointDamaged},
		"a bomb":              {crafted(t, tar.Header{Name: "zeros", Size: plenty + 1}), ErrCheckpointTooLarge},
	} {
		st := folderStore(t)
		if err := st.Put(t.Context(), id, checkpointPath(1), bytes.NewReader(c.archive), int64(len(c.archive)), ""); err != nil {
			t.Fatal(err)
		}
		parent := t.TempDir()
		got, err := RestoreCheckpoint(t.Context(), st, id, 2, filepath.Join(parent, "dir"), plenty)
		if !errors.Is(err, c.want) || got.Attempt != 1 {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
		if entries, _ := os.ReadDir(parent); len(entries) != 1 {
			t.Errorf("%s: beside the folder there is %v", name, entries)
		}
		if _, err := os.Lstat(outside); err == nil {
			t.Errorf("%s: it got out", name)
		}
	}
}

// breaking is a store that takes or gives no more than a part.
type breaking struct{ Store }

var errCut = errors.New("connection reset")

func (breaking) Put(_ context.Context, _ execution.ID, _ string, r io.Reader, _ int64, _ string) error {
	_, err := io.CopyN(io.Discard, r, 100)
	return errors.Join(errCut, err)
}

func (b breaking) Open(ctx context.Context, id execution.ID, p string) (Object, error) {
	o, err := b.Store.Open(ctx, id, p)
	return cutObject{o}, err
}

type cutObject struct{ Object }

func (o cutObject) Read(p []byte) (int, error) {
	n, _ := o.Object.Read(p[:min(len(p), 50)])
	return n, errCut
}

func TestAStoreThatFailsIsNoDamage(t *testing.T) {
	st := folderStore(t)
	random := make([]byte, 3<<20)
	_, _ = rand.Read(random) // never fails
	dir := tree(t, map[string]string{"f": string(random)})
	if _, err := SaveCheckpoint(t.Context(), breaking{st}, id, 1, dir, plenty); !errors.Is(err, errCut) {
		t.Errorf("save: %v", err)
	}
	save(t, st, 1, dir)
	_, err := RestoreCheckpoint(t.Context(), breaking{st}, id, 2, filepath.Join(t.TempDir(), "d"), plenty)
	if !errors.Is(err, errCut) || errors.Is(err, ErrCheckpointDamaged) {
		t.Errorf("restore: %v", err)
	}
	none, err := Open("", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SaveCheckpoint(t.Context(), none, id, 1, dir, plenty); !errors.Is(err, ErrNone) {
		t.Errorf("without a store: %v", err)
	}
	if _, c := restore(t, none, 3); c.Attempt != 0 {
		t.Errorf("without a store: %+v", c)
	}
}

func TestASaveThatIsCalledOffKeepsNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, st Store) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errCut)
		if _, err := SaveCheckpoint(ctx, st, id, 1, tree(t, map[string]string{"a": "1"}), plenty); !errors.Is(err, errCut) {
			t.Errorf("%v", err)
		}
		if list, err := st.List(t.Context(), id); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	})
}
