package runner

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// spares are workdirs without an attempt. An attempt's is one of them, renamed,
// and becomes one again if it was left as it was made: empty. To make four
// folders and a file, to look whether they are empty, and to remove them is most
// of what a short execution costs a disk.
type spares struct {
	root string

	mu   sync.Mutex // guards the fields below
	made int
	all  []*spare
	idle *time.Timer // empties it
}

// sparesMost is more than the attempts that begin while as many end.
const sparesMost = 16

// spareFor is how long spares wait for the next attempt: an idle worker leaves
// nothing on its disk.
const spareFor = 10 * time.Second

// spareNamed tells them from workdirs of attempts: the note in one is no attempt's.
const spareNamed = "spare-"

// noteMost bounds the note that a spare keeps on the disk.
const noteMost = 4 << 10

// spare is one of them. Its note is open, and written anew for each attempt.
type spare struct {
	name string // its path, while it has no attempt
	note *os.File
	size int // of what the note holds

	root look // with the note and the folders
	has  [len(folders)]look
}

// folders of a spare, all of them empty.
var folders = [...]string{"checkpoint", outputsFolder, "work"}

const outputsFolder = "outputs"

// take makes a spare the workdir of an attempt. It has its path only when it
// holds the note: before that, it is nobody's.
func (s *spares) take(path string, n note) (*spare, error) {
	data, err := json.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("encode the note of an attempt: %w", err)
	}
	for one := s.last(); one != nil; one = s.last() {
		if one.begin(data, path) == nil {
			return one, nil
		}
		one.remove() // a cleaner of old files was here, perhaps
	}
	one, err := newSpare(s.next())
	if err == nil {
		err = one.begin(data, path)
	}
	if err != nil {
		one.remove()
		return nil, err
	}
	return one, nil
}

// last takes out the spare that was used last; nil where there is none.
func (s *spares) last() *spare {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return nil
	}
	one := s.all[len(s.all)-1]
	s.all = s.all[:len(s.all)-1]
	return one
}

func (s *spares) next() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	return filepath.Join(s.root, spareNamed+strconv.Itoa(s.made))
}

// keep takes back the workdir at path if there is nothing in it but what a
// spare has. Nobody may use it any more.
func (s *spares) keep(one *spare, path string) bool {
	if one.size > noteMost || !one.untouched(path) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= sparesMost || unix.Rename(path, one.name) != nil {
		return false
	}
	s.all = append(s.all, one)
	if s.idle == nil {
		s.idle = time.AfterFunc(spareFor, s.clear)
	}
	s.idle.Reset(spareFor)
	return true
}

func (s *spares) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		one.remove()
	}
	s.all = nil
}

// newSpare gives what there is of it beside an error too.
func newSpare(name string) (*spare, error) {
	one := &spare{name: name}
	// Not MkdirAll: a root that is gone must not come back without its lock.
	err := os.Mkdir(name, 0o700)
	for _, folder := range folders {
		if err == nil {
			err = os.Mkdir(filepath.Join(name, folder), 0o700)
		}
	}
	if err == nil {
		one.note, err = os.OpenFile(filepath.Join(name, noteName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	return one, err
}

// begin writes the note and moves the spare to path.
func (one *spare) begin(note []byte, path string) error {
	if _, err := one.note.WriteAt(note, 0); err != nil {
		return err
	}
	if len(note) < one.size {
		if err := one.note.Truncate(int64(len(note))); err != nil {
			return err
		}
	}
	one.size = len(note)
	return unix.Rename(one.name, path)
}

// close lets go of the note, for good: what is at the workdir's path is not kept.
func (one *spare) close() {
	if one.note != nil {
		_ = one.note.Close()
	}
}

func (one *spare) remove() {
	one.close()
	_ = os.RemoveAll(one.name)
}

// untouched tells whether what is at path is as it was made.
func (one *spare) untouched(path string) bool {
	for i, folder := range folders {
		if !one.has[i].same(filepath.Join(path, folder)) {
			return false
		}
	}
	return one.root.same(path, noteName, folders[0], folders[1], folders[2])
}

// noOutputs tells that the attempt at path has put nothing into its folder of outputs.
func (one *spare) noOutputs(path string) bool {
	i := slices.Index(folders[:], outputsFolder)
	return one.has[i].same(filepath.Join(path, outputsFolder))
}
