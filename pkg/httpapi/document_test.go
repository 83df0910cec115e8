package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/httpapi"
)

var update = flag.Bool("update", false, "write api/openapi.yaml anew")

const committed = "../../api/openapi.yaml"

func TestTheCommittedDocumentIsWhatTheServerSays(t *testing.T) {
	// The version is the release's, so the committed document has none.
	got, err := httpapi.New(httpapi.Options{Catalog: catalog{}, Version: "0"}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(committed, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("api/openapi.yaml is out of date: run go test ./pkg/httpapi -run Committed -update")
	}
}

func TestTheDocumentIsServedAsJSONAndYAML(t *testing.T) {
	w := newWorld(t)
	var doc struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(readAll(t, w.do("GET", "/openapi.json", "")), &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("document is %+v: %v", doc, err)
	}
	for _, path := range []string{"/execute/start", "/outputs/{id}/{path}", "/agent/run", "/health"} {
		if doc.Paths[path] == nil {
			t.Errorf("%s is not in the document", path)
		}
	}
	if body := readAll(t, w.do("GET", "/openapi.yaml", "")); !bytes.Contains(body, []byte("openapi: 3.1.0")) || bytes.Contains(body, []byte("$schema")) {
		t.Error("the YAML lacks its version, or has links of huma's")
	}
}

func TestThePageForPeopleAsksNoOtherServer(t *testing.T) {
	w := newWorld(t)
	page := w.do("GET", "/docs", "")
	html := string(readAll(t, page))
	if strings.Contains(html, "http://") || strings.Contains(html, "https://") {
		t.Errorf("the page names another server: %s", html)
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self';") || !strings.Contains(policy, "connect-src 'self'") {
		t.Errorf("policy is %q", policy)
	}
	packed := w.do("GET", "/docs/standalone.js", "", "Accept-Encoding", "br, gzip")
	if packed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("headers are %v", packed.Header)
	}
	unpack, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	script, err := io.ReadAll(unpack)
	if err != nil || !bytes.Contains(script, []byte("createApiReference")) {
		t.Errorf("the script has %d bytes, %v", len(script), err)
	}
	plain := w.do("GET", "/docs/standalone.js", "", "Accept-Encoding", "identity")
	if got := readAll(t, plain); plain.Header.Get("Content-Encoding") != "" || len(got) < len(script)-2 {
		t.Errorf("plain script: %d bytes, headers %v", len(got), plain.Header)
	}
}

func TestEachProblemIsExplained(t *testing.T) {
	w := newWorld(t)
	all := string(readAll(t, w.do("GET", "/problems", "")))
	for _, code := range []string{"invalid", "unauthorized", "idempotency_reuse", "execution_failed", "storage_full"} {
		page := w.do("GET", "/problems/"+code, "", "Accept", "text/html")
		if got := string(readAll(t, page)); !strings.Contains(got, "<code>"+code+"</code>") || page.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %s", code, got)
		}
		text := w.do("GET", "/problems/"+code, "")
		if got := string(readAll(t, text)); !strings.HasPrefix(got, code+" (") || text.Header.Get("Content-Type") != "text/plain; charset=utf-8" || text.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", code, got)
		}
		if !strings.Contains(all, code+" (") {
			t.Errorf("%s is not in the list", code)
		}
	}
}
