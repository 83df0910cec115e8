package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/longhaul/longhaul/pkg/client"
)

// filesOf are the files that --file names: FILE, NAME=FILE, or a folder, whose
// files keep their paths below its name.
func filesOf(words []string) ([]client.File, error) {
	var files []client.File
	for _, word := range words {
		name, at, renamed := strings.Cut(word, "=")
		if _, err := os.Stat(word); err == nil || !renamed { // a name with = in it
			name, at = "", word
		}
		info, err := os.Stat(at)
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		if name == "" {
			if name, err = baseName(at); err != nil {
				return nil, err
			}
		}
		if !info.IsDir() {
			files = append(files, fileAt(name, at))
			continue
		}
		err = filepath.WalkDir(at, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			below, err := filepath.Rel(at, p)
			files = append(files, fileAt(path.Join(name, filepath.ToSlash(below)), p))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
	}
	return files, nil
}

// baseName is what a file is called where it is, also for "." and "..".
func baseName(at string) (string, error) {
	whole, err := filepath.Abs(at)
	return filepath.Base(whole), err
}

func fileAt(name, at string) client.File {
	return client.File{Path: name, Open: func() (io.ReadCloser, error) { return os.Open(at) }}
}
