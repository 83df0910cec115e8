package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, target string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	http.StripPrefix("/console", Handler()).ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAllThatAPageLoadsIsSmall(t *testing.T) {
	const limit = 60_000
	s := load()
	always := len(s.page.gzip) // page, style and icon
	for name, f := range s.files {
		if ext := path.Ext(name); ext != ".js" && ext != ".mjs" {
			always += len(f.gzip)
		}
	}
	pages := regexp.MustCompile(`import\('\./([a-z]+\.js)'\)`).FindAllSubmatch(s.files["app.js"].plain, -1)
	if len(pages) < 6 {
		t.Fatalf("only %d pages were found", len(pages))
	}
	for _, p := range pages {
		sum := always
		for name := range s.needs("app.js", string(p[1])) {
			sum += len(s.files[name].gzip)
		}
		t.Logf("%s: %d bytes packed", p[1], sum)
		if sum > limit {
			t.Errorf("%s loads %d bytes packed, more than %d", p[1], sum, limit)
		}
	}
}

func TestEachPathOfTheConsoleIsThePage(t *testing.T) {
	page := body(t, get(t, "/console"))
	for _, target := range []string{"/console/", "/console/executions/exec_1", "/console/new?engine=a", "/console/no-such-page"} {
		res := get(t, target)
		if got := body(t, res); res.StatusCode != http.StatusOK || got != page || res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d, %v", target, res.StatusCode, res.Header)
		}
		if res := get(t, target, "If-None-Match", res.Header.Get("ETag")); res.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: %d", target, res.StatusCode)
		}
	}
	if strings.Contains(page, "{") {
		t.Errorf("something was not filled in: %s", page)
	}
}

func TestFilesMayBeKeptForEverUnderTheirVersionOnly(t *testing.T) {
	links := regexp.MustCompile(`(?:href|src)="(/console/~[^"]+)"`).FindAllStringSubmatch(body(t, get(t, "/console")), -1)
	if len(links) < 10 {
		t.Fatalf("the page loads only %v", links)
	}
	for _, l := range links {
		res := get(t, l[1])
		if got := body(t, res); res.StatusCode != http.StatusOK || got == "" || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %d bytes, %v", l[1], res.StatusCode, len(got), res.Header)
		}
		if kind := res.Header.Get("Content-Type"); strings.HasSuffix(path.Ext(l[1]), "js") && kind != "text/javascript; charset=utf-8" {
			t.Errorf("%s is %s", l[1], kind)
		}
	}
	old := strings.Replace(links[0][1], load().version, "0123456789abcdef", 1)
	if res := get(t, old); res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%s: %d, %v", old, res.StatusCode, res.Header)
	}
	if res := get(t, "/console/~"+load().version+"/no-such.js"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a file that is not there: %d", res.StatusCode)
	}
}

func TestThePolicyNamesThisServerAlone(t *testing.T) {
	for _, target := range []string{"/console", "/console/~" + load().version + "/app.js"} {
		h := get(t, target).Header
		p := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(p+";", part+";") {
				t.Errorf("%s: %q lacks %s", target, p, part)
			}
		}
		if strings.Contains(p, "unsafe") || strings.Contains(p, "http") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", target, h)
		}
	}
	// What a policy would block must not be there to begin with.
	for name, f := range load().files {
		if bytes.Contains(f.plain, []byte("https://")) || bytes.Contains(f.plain, []byte("unpkg")) {
			t.Errorf("%s names another server", name)
		}
	}
}

func TestPackedAndPlainAreTheSame(t *testing.T) {
	for name, f := range load().files {
		target := "/console/~" + load().version + "/" + name
		res := get(t, target, "Accept-Encoding", "br, gzip")
		unpack, err := gzip.NewReader(res.Body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(unpack)
		if err != nil || !bytes.Equal(got, f.plain) || body(t, get(t, target)) != string(f.plain) {
			t.Errorf("%s differs, %v", name, err)
		}
	}
}

func TestCommentsAreNotSent(t *testing.T) {
	const source = `// What it is.
import { a } from './a.js' // stays
/**
 * Long.
 * @param {string} s a * b
 */
const f = (/** @type {string} */ s) => s + "// no comment" + 'http://x' /* stays */
	// gone
/** One line. */
export { f }
`
	const want = `import { a } from './a.js' // stays
const f = (s) => s + "// no comment" + 'http://x' /* stays */
export { f }
`
	if got := string(pack("x.js", []byte(source)).plain); got != want {
		t.Errorf("%s", got)
	}
	if got := string(pack("x.mjs", []byte(source)).plain); got != source {
		t.Errorf("what others wrote keeps its licence: %s", got)
	}
}
