package runner

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// spares are workdirs that an attempt left as they were made: empty. The next
// attempt's is one of them, renamed. To make four folders and to remove them is
// most of what a short execution costs a disk.
type spares struct {
	root string

	mu   sync.Mutex // guards the fields below
	made int
	all  []string
	idle *time.Timer // empties it
}

// sparesMost is more than the attempts that begin while as many end.
const sparesMost = 16

// spareFor is how long spares wait for the next attempt: an idle worker leaves
// nothing on its disk.
const spareFor = 10 * time.Second

// folders of a spare.
var folders = []string{"checkpoint", "outputs", "work"}

// take moves a spare to path, and tells whether there was one.
func (s *spares) take(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.all) > 0 {
		spare := s.all[len(s.all)-1]
		s.all = s.all[:len(s.all)-1]
		if os.Rename(spare, path) == nil {
			return true
		}
		_ = os.RemoveAll(spare)
	}
	return false
}

// keep makes a spare of an attempt's folder, if there is nothing in it but its
// note. Nobody may use it any more.
func (s *spares) keep(w workdir) bool {
	if !pristine(w.root, append([]string{filepath.Base(w.note())}, folders...)) {
		return false
	}
	for _, name := range folders {
		if !pristine(filepath.Join(w.root, name), nil) {
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= sparesMost {
		return false
	}
	s.made++
	spare := filepath.Join(s.root, "spare-"+strconv.Itoa(s.made))
	if os.Remove(w.note()) != nil || os.Rename(w.root, spare) != nil {
		return false
	}
	s.all = append(s.all, spare)
	if s.idle == nil {
		s.idle = time.AfterFunc(spareFor, s.clear)
	}
	s.idle.Reset(spareFor)
	return true
}

func (s *spares) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, spare := range s.all {
		_ = os.RemoveAll(spare)
	}
	s.all = nil
}

// pristine tells whether path is a folder as we make them, no link, that holds
// these names and nothing else.
func pristine(path string, want []string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeDir|0o700 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	names, err := f.Readdirnames(len(want) + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	slices.Sort(names)
	return slices.Equal(names, slices.Sorted(slices.Values(want)))
}
