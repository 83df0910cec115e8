package engine

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

var (
	// A bound within a pattern would cost each start of a program up to a millisecond.
	engineName  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`) // of at most 63
	commandName = regexp.MustCompile(`^[A-Za-z0-9./_-]+$`)     // of at most 255
)

// Parse reads a catalog whose relative paths start at dir. The error lists
// every problem, one a line, each with its place.
func Parse(data []byte, dir string) (*Catalog, error) {
	if !filepath.IsAbs(dir) {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		dir = abs
	}
	f, p := decode(data)
	c := &Catalog{dir: dir, engines: map[string]*entry{}, commands: map[string]*entry{}}
	b := builder{dir: dir, defaults: &f.Defaults, problems: p}
	b.settings("defaults", &f.Defaults)
	for _, name := range slices.Sorted(maps.Keys(f.Engines)) {
		c.engines[name] = b.engine(name, f.Engines[name])
	}
	for _, name := range slices.Sorted(maps.Keys(f.Commands)) {
		c.commands[name] = b.command(name, f.Commands[name])
	}
	if len(f.Engines)+len(f.Commands) == 0 && !p.any() {
		p.add("engines", "is empty: name at least one engine, or a command under commands")
	}
	if p.any() {
		return nil, p
	}
	return c, nil
}

// decode gives what could be read, and the problems of what could not.
func decode(data []byte) (*file, *Problems) {
	f, p := &file{}, &Problems{}
	if len(data) > maxCatalogBytes {
		p.lines = append(p.lines, "is larger than 4 MiB")
		return f, p
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		p.yaml(err)
		return f, p
	}
	p.root = &root
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		p.yaml(err)
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) && !p.any() {
		p.lines = append(p.lines, "holds a second document (a line ---): a catalog is one document")
	}
	return f, p
}
