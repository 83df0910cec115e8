package runner

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestALookSeesWhatComesAndGoes(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "folder")
	inner := filepath.Join(folder, "inner")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var empty, full look
	trusted := func(l *look, names ...string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); l.inode == 0; <-time.After(5 * time.Millisecond) {
			if !l.same(folder, names...) {
				t.Fatalf("it holds something other than %v", names)
			}
			if time.Now().After(end) {
				t.Fatal("the time of the folder is never trusted")
			}
		}
	}
	if !empty.same(folder) || empty.inode != 0 {
		t.Error("a folder that was made just now may change without a trace in its time")
	}
	trusted(&empty)
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	if empty.same(folder) || !full.same(folder, "inner") {
		t.Error("what came is not seen")
	}
	trusted(&full, "inner")
	moved := folder + "-moved"
	if err := os.Rename(folder, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(moved, folder); err != nil {
		t.Fatal(err)
	}
	before := full
	if !full.same(folder, "inner") || full != before {
		t.Error("to move the folder changes nothing in it")
	}
	if err := os.Remove(inner); err != nil {
		t.Fatal(err)
	}
	if full.same(folder, "inner") || !empty.same(folder) {
		t.Error("what went is not seen")
	}
	trusted(&empty)
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if empty.same(folder) {
		t.Error("others may look into it now")
	}
}
