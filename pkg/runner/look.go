package runner

import (
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// look remembers a folder in which there was nothing but what we put there. The
// kernel writes down when a name in it came or went last, so while that instant
// is the same, nothing has: to see that takes a tenth of reading the folder.
type look struct {
	inode   uint64
	changed unix.Timespec // zero: it cannot be told from a later instant
}

// lookAge is how old the last change must be for a later one to show: the clock
// of file systems advances every 10 ms at least. One that counts whole seconds
// is never trusted.
const lookAge = 100 * time.Millisecond

// same tells whether path is a folder as we make them, no link, that holds these
// names, which are sorted, and nothing else.
func (l *look) same(path string, names ...string) bool {
	var s unix.Stat_t
	if unix.Lstat(path, &s) != nil || s.Mode != unix.S_IFDIR|0o700 {
		return false
	}
	// The first tells of a change to the folder itself too, which nobody can
	// undo. We move the folder that is not empty, and that is such a change.
	changed := s.Ctim
	if len(names) > 0 {
		changed = s.Mtim
	}
	if l.changed != (unix.Timespec{}) && l.changed == changed && l.inode == s.Ino {
		return true
	}
	if !holds(path, names) {
		return false
	}
	*l = look{}
	if changed.Nsec != 0 && time.Since(time.Unix(changed.Unix())) > lookAge {
		*l = look{s.Ino, changed}
	}
	return true
}

// holds reads the folder.
func holds(path string, names []string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	found, err := f.Readdirnames(len(names) + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	slices.Sort(found)
	return slices.Equal(found, names)
}
