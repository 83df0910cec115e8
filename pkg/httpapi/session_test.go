package httpapi_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

// logIn gives the cookie that a browser gets for the token.
func (w *world) logIn(headers ...string) *http.Cookie {
	w.t.Helper()
	res := w.do("POST", "/console/session", `{"token":"`+token+`"}`, append([]string{"Authorization", "", "Sec-Fetch-Site", "same-origin"}, headers...)...)
	if res.StatusCode != http.StatusNoContent || len(res.Cookies()) != 1 {
		w.t.Fatalf("log in: %d, %v", res.StatusCode, res.Cookies())
	}
	return res.Cookies()[0]
}

// with is the headers of a page's request: its cookie, and where it comes from.
func with(value, site string, more ...string) []string {
	return append([]string{"Authorization", "", "Cookie", "longhaul_session=" + value, "Sec-Fetch-Site", site}, more...)
}

func TestASessionStandsForItsTokenOnEachRoute(t *testing.T) {
	w := newWorld(t)
	cookie := w.logIn()
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Secure || cookie.MaxAge != 12*3600 {
		t.Errorf("the cookie is %+v", cookie)
	}
	if strings.Contains(cookie.Value, token) {
		t.Error("the token is in the cookie")
	}
	own := with(cookie.Value, "same-origin")
	call[api.Session](w, 200, "GET", "/console/session", "", own...)
	started, _ := call[api.Started](w, 202, "POST", "/execute/start", `{"command":"python"}`, append(own, "Idempotency-Key", "one")...)
	again, _ := call[api.Started](w, 202, "POST", "/execute/start", `{"command":"python"}`, "Idempotency-Key", "one")
	if again.ID != started.ID {
		t.Error("with a session, the caller is another than with its token")
	}
	w.store.start(started.ID)
	w.store.finish(started.ID)
	for _, path := range []string{"/execute/list", "/engines", "/metrics", "/execute/status/" + string(started.ID), "/execute/stream/" + string(started.ID)} {
		if res := w.do("GET", path, "", own...); res.StatusCode == http.StatusUnauthorized {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

func TestACookieIsForTLSWhereTheRequestCameByIt(t *testing.T) {
	w := newWorld(t)
	for proto, want := range map[string]bool{"https": true, "https, http": true, "http": false, "": false} {
		if got := w.logIn("X-Forwarded-Proto", proto).Secure; got != want {
			t.Errorf("X-Forwarded-Proto %q: Secure is %v", proto, got)
		}
	}
}

func TestNoSessionButOneOfThisServersOwn(t *testing.T) {
	var now time.Time
	w := newWorld(t, func(o *httpapi.Options) { o.Now = func() time.Time { return now } })
	now = time.Now()
	value := w.logIn().Value
	end, mac, _ := strings.Cut(value, ".")
	later, _ := strconv.Atoi(end)
	for name, forged := range map[string]string{
		"empty": "", "no end": "." + mac, "no signature": end, "another end": strconv.Itoa(later+60) + "." + mac,
		"another signature": end + "." + strings.Repeat("A", len(mac)), "a word": "x." + mac, "the token": token, "a tail": value + "x",
	} {
		if p, _ := w.problem(401, "GET", "/execute/list", "", with(forged, "same-origin")...); p.Code != execution.Unauthorized {
			t.Errorf("%s: %+v", name, p)
		}
	}
	now = now.Add(12*time.Hour - time.Minute)
	call[api.List](w, 200, "GET", "/execute/list", "", with(value, "same-origin")...)
	now = now.Add(2 * time.Minute)
	if p, _ := w.problem(401, "GET", "/execute/list", "", with(value, "same-origin")...); !strings.Contains(p.Detail, "/console") {
		t.Errorf("expired: %s", p.Detail)
	}
}

func TestASessionEndsWithItsToken(t *testing.T) {
	value := newWorld(t).logIn().Value
	kept := newWorld(t, func(o *httpapi.Options) { o.Tokens = []string{token, "new"} })
	call[api.List](kept, 200, "GET", "/execute/list", "", with(value, "same-origin")...)
	removed := newWorld(t, func(o *httpapi.Options) { o.Tokens = []string{"another", "new"} })
	removed.problem(401, "GET", "/execute/list", "", with(value, "same-origin")...)
}

func TestOnlyItsOwnPagesActWithASession(t *testing.T) {
	w := newWorld(t)
	value, id := w.logIn().Value, string(w.begin())
	acts := []string{"POST /execute/start", "POST /execute/cancel/" + id, "POST /agent/run", "GET /execute?command=python", "GET /execute/ws/" + id}
	for _, from := range [][]string{
		with(value, "cross-site"), with(value, "same-site"), with(value, "none"), with(value, ""),
		with(value, "", "Origin", "http://evil.example"), with(value, "", "Origin", "null"), with(value, "cross-site", "Origin", w.url),
	} {
		for _, act := range acts {
			method, path, _ := strings.Cut(act, " ")
			if p, _ := w.problem(403, method, path, `{"command":"python"}`, from...); p.Code != execution.Forbidden {
				t.Errorf("%s from %v: %+v", act, from, p)
			}
		}
	}
	// A link to a download is followed from anywhere, and over plain HTTP a browser says its origin only.
	call[api.List](w, 200, "GET", "/execute/list", "", with(value, "none")...)
	call[api.Started](w, 202, "POST", "/execute/start", `{"command":"python"}`, with(value, "", "Origin", w.url)...)
	// A token in a header is nobody's cookie, wherever it comes from.
	call[api.Started](w, 202, "POST", "/execute/start", `{"command":"python"}`, "Origin", "http://elsewhere.example", "Sec-Fetch-Site", "cross-site")
	// A wrong header is not mended by a cookie.
	w.problem(401, "GET", "/execute/list", "", "Authorization", "Bearer wrong", "Cookie", "longhaul_session="+value)
}

func TestLoggingInAndOut(t *testing.T) {
	w := newWorld(t)
	own := []string{"Authorization", "", "Sec-Fetch-Site", "same-origin"}
	if p, _ := w.problem(401, "POST", "/console/session", `{"token":"wrong"}`, own...); !strings.Contains(p.Detail, "API_TOKENS") {
		t.Errorf("a wrong token: %s", p.Detail)
	}
	w.problem(422, "POST", "/console/session", `{"token":""}`, own...)
	w.problem(403, "POST", "/console/session", `{"token":"`+token+`"}`, "Authorization", "", "Sec-Fetch-Site", "cross-site")
	w.problem(403, "DELETE", "/console/session", "", "Authorization", "", "Sec-Fetch-Site", "cross-site")
	w.problem(401, "GET", "/console/session", "", own...)
	res := w.do("DELETE", "/console/session", "", own...)
	if c := res.Cookies(); res.StatusCode != http.StatusNoContent || len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Errorf("log out: %d, %v", res.StatusCode, res.Cookies())
	}
	open := newWorld(t, func(o *httpapi.Options) { o.Tokens = nil })
	call[api.Session](open, 200, "GET", "/console/session", "", own...)
}

func TestThePageItselfNeedsNoToken(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/console", "/console/", "/console/executions/exec_1"} {
		res := w.do("GET", path, "", "Authorization", "")
		if got := string(readAll(t, res)); res.StatusCode != http.StatusOK || !strings.Contains(got, "<title>") || !strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d, %v", path, res.StatusCode, res.Header)
		}
	}
}
