// Package console is the page for people: files in the folder web, embedded, that a
// browser runs as they are. There is no build step. It knows the HTTP API only by
// its routes, holds no data and starts no goroutine.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed web/*.html web/*.css web/*.js web/*.svg web/vendor/*.mjs
var embedded embed.FS

// policy lets the page load, and talk to, this server alone. An artifact is shown
// in a frame, whose own policy is a sandbox.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
	"frame-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// site is what a browser may ask for. All but the page itself lies below a folder
// named after the hash of all files: what has such an address never changes, so
// a browser keeps it, and two versions of a module never meet in one page.
type site struct {
	version string
	page    *file
	files   map[string]*file // by their path below web
}

// file is one file, packed once.
type file struct {
	contentType string
	plain, gzip []byte
	etag        string
}

// Handler serves the console; the caller strips the prefix /console. Any path that
// names no file is a page of the console, whose router reads it.
// Packing takes longer than the rest of an API's start, so the first visit does it.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { load().ServeHTTP(w, r) })
}

var load = sync.OnceValue(func() *site {
	s := &site{files: map[string]*file{}}
	hash := sha256.New()
	web, _ := fs.Sub(embedded, "web") // the folder is in the line above
	_ = fs.WalkDir(web, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(web, name)
		hash.Write([]byte(name + "\x00"))
		hash.Write(data)
		s.files[name] = pack(name, data)
		return err
	})
	s.version = hex.EncodeToString(hash.Sum(nil)[:8])
	s.page = pack("index.html", s.index())
	delete(s.files, "index.html")
	return s
})

// index puts the version into the page, and lets the browser ask at once for all
// modules that each page needs: it would find them one import after the other.
func (s *site) index() []byte {
	base := "/console/~" + s.version + "/"
	var links strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.needs("app.js"))) {
		links.WriteString(`<link rel="modulepreload" href="` + base + name + `">` + "\n")
	}
	r := strings.NewReplacer("{base}", base, "{modules}\n", links.String())
	return []byte(r.Replace(string(s.files["index.html"].plain)))
}

// imports finds what a module cannot begin without.
var imports = regexp.MustCompile(`(?m)\bfrom ?["'](\.[^"']+)["']`)

// needs are the modules that come with each of names.
func (s *site) needs(names ...string) map[string]bool {
	all := map[string]bool{}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if all[name] || s.files[name] == nil {
			continue
		}
		all[name] = true
		for _, m := range imports.FindAllSubmatch(s.files[name].plain, -1) {
			names = append(names, path.Join(path.Dir(name), string(m[1])))
		}
	}
	return all
}

// comments are those that stand on lines of their own, and types within a line: a
// third of what we write, of no use to a browser.
var comments = regexp.MustCompile(`(?m)^[ \t]*(?://.*|/\*\*(?:[^*]|\*+[^*/])*\*+/[ \t]*)\n|/\*\* @[^*]*\*/ ?`)

// pack compresses a file once, at the first request of any.
func pack(name string, data []byte) *file {
	if path.Ext(name) == ".js" {
		data = comments.ReplaceAll(data, nil)
	}
	sum := sha256.Sum256(data)
	f := &file{plain: data, etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	f.contentType = mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // a system's table of types may lack them
	case ".js", ".mjs":
		f.contentType = "text/javascript; charset=utf-8"
	case ".svg":
		f.contentType = "image/svg+xml"
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that exists
	_, _ = w.Write(data)                                  // into memory
	_ = w.Close()
	f.gzip = b.Bytes()
	return f
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Vary", "Accept-Encoding")
	version, name, isFile := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !isFile || !strings.HasPrefix(version, "~") {
		h.Set("Cache-Control", "no-cache")
		s.page.serve(w, r)
		return
	}
	f := s.files[name]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	// During a deploy the page may come from a replica of another version than its
	// files: they get ours, and may not keep it under that address.
	h.Set("Cache-Control", "no-cache")
	if version == "~"+s.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", f.etag)
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	body := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.gzip
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the reader may have gone
	}
}
