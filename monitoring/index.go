package main

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page to log in
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
)

// index is asynqmon's page, made safe to serve: it asks no other server for
// anything, and the policy lets no script run but those that it came with.
type index struct {
	page   []byte
	policy string
}

var (
	foreign = regexp.MustCompile(`<link [^>]*href="https?://[^>]*>`)
	inline  = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// logout is put on the page: asynqmon knows no log-in, so has no way out either.
const logout = `<form method="post" action="` + root + `/logout" style="position:fixed;right:12px;bottom:12px;z-index:2000"><button>Log out</button></form>`

func newIndex(asynqmon http.Handler) *index {
	r, _ := http.NewRequest(http.MethodGet, root+"/", nil) // these cannot be wrong
	var rendered recorded
	asynqmon.ServeHTTP(&rendered, r)
	page := foreign.ReplaceAllString(rendered.String(), "")
	page = strings.Replace(page, "</body>", logout+"</body>", 1)
	scripts := ""
	for _, script := range inline.FindAllStringSubmatch(page, -1) {
		sum := sha256.Sum256([]byte(script[1]))
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return &index{page: []byte(page), policy: "default-src 'none'; script-src 'self'" + scripts +
		"; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'" +
		"; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"}
}

// ServeHTTP implements http.Handler.
func (i *index) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(i.page)
}

// recorded keeps what a handler writes.
type recorded struct {
	bytes.Buffer
	header http.Header
}

func (r *recorded) WriteHeader(int) {}

// Header implements http.ResponseWriter.
func (r *recorded) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}
