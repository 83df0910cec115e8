package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed" // the page and its script
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The page for people is Scalar, embedded: it asks no other server for
// anything, so it works offline and tells nobody who reads it.
var (
	//go:embed scalar/index.html
	docsHTML []byte
	//go:embed scalar/init.js
	docsInit []byte
	//go:embed scalar/standalone.js.gz
	docsScript []byte // compressed once, for good: 1.3 MB instead of 4.4
)

// docsPolicy lets the page load from here alone. Scalar sets styles inline.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

type docsInput struct {
	AcceptEncoding string `header:"Accept-Encoding"`
}

type docsOutput struct {
	ContentType string `header:"Content-Type"`
	Encoding    string `header:"Content-Encoding"`
	CSP         string `header:"Content-Security-Policy"`
	Cache       string `header:"Cache-Control"`
	Vary        string `header:"Vary"`
	Body        []byte
}

func (s *Server) docsRoutes() {
	for path, get := range map[string]func(*docsInput) (*docsOutput, error){
		"/docs": func(*docsInput) (*docsOutput, error) {
			return &docsOutput{ContentType: "text/html; charset=utf-8", CSP: docsPolicy, Cache: "no-cache", Body: docsHTML}, nil
		},
		"/docs/init.js": func(*docsInput) (*docsOutput, error) {
			return &docsOutput{ContentType: "text/javascript; charset=utf-8", Cache: "no-cache", Body: docsInit}, nil
		},
		"/docs/standalone.js": script,
	} {
		operation(s, public, huma.Operation{
			OperationID: "getDocs" + path, Method: http.MethodGet, Path: path, Hidden: true,
		}, func(_ context.Context, in *docsInput) (*docsOutput, error) { return get(in) })
	}
}

// script is sent as it is embedded, or unpacked for the rare client without gzip.
func script(in *docsInput) (*docsOutput, error) {
	out := &docsOutput{
		ContentType: "text/javascript; charset=utf-8", Encoding: "gzip",
		Cache: "public, max-age=86400", Vary: "Accept-Encoding", Body: docsScript,
	}
	if strings.Contains(in.AcceptEncoding, "gzip") {
		return out, nil
	}
	unpack, err := gzip.NewReader(bytes.NewReader(docsScript))
	if err != nil {
		return nil, err
	}
	out.Encoding = ""
	out.Body, err = io.ReadAll(unpack)
	return out, err
}
