package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

const operator = "a-token-of-an-operator"

// door is a dashboard whose Redis nobody needs.
type door struct {
	*dashboard
	t   *testing.T
	now time.Time
}

func newDoor(t *testing.T, c canceller, tokens ...string) *door {
	t.Helper()
	d := &door{t: t, now: time.Unix(1_800_000_000, 0)}
	var err error
	d.dashboard, err = newDashboard(options{
		redisURL: "redis://127.0.0.1:1/0", tokens: append(tokens, operator), canceller: c,
		log: slog.New(slog.DiscardHandler), now: func() time.Time { return d.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// ask sends a request with headers "Name", "value", …
func (d *door) ask(method, path, body string, headers ...string) *http.Response {
	d.t.Helper()
	r := httptest.NewRequestWithContext(d.t.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result()
}

func (d *door) logIn(token string, headers ...string) *http.Response {
	d.t.Helper()
	return d.ask("POST", "/monitoring/login", url.Values{"token": {token}}.Encode(),
		append([]string{"Content-Type", "application/x-www-form-urlencoded", "Origin", "http://example.com"}, headers...)...)
}

// session is the cookie of a fresh log-in.
func (d *door) session(token string) string {
	d.t.Helper()
	res := d.logIn(token)
	if len(res.Cookies()) != 1 || res.StatusCode != http.StatusSeeOther {
		d.t.Fatalf("%s %v", res.Status, res.Header)
	}
	return res.Cookies()[0].Value
}

// sees reports whether a cookie opens the door.
func (d *door) sees(cookie string) bool {
	d.t.Helper()
	return d.ask("GET", "/monitoring/", "", "Cookie", sessionCookie+"="+cookie).StatusCode == http.StatusOK
}

func read(t *testing.T, res *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestNothingIsShownWithoutALogIn(t *testing.T) {
	d := newDoor(t, nil)
	for _, path := range []string{"/monitoring/", "/monitoring/queues/default", "/monitoring/static/js/main.js", "/monitoring/favicon.ico"} {
		if res := d.ask("GET", path, ""); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/monitoring/login" {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	for _, route := range []string{"GET /monitoring/api/queues", "GET /monitoring/api/redis_info", "POST /monitoring/api/queues/default:pause", "DELETE /monitoring/api/queues/default", "PUT /monitoring/"} {
		method, path, _ := strings.Cut(route, " ")
		for _, header := range []string{"", "Bearer wrong", "Bearer ", "Basic " + operator} {
			if res := d.ask(method, path, "", "Authorization", header); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %q: %s", route, header, res.Status)
			}
		}
	}
	if res := d.ask("GET", "/health", ""); res.StatusCode != http.StatusOK {
		t.Errorf("/health: %s", res.Status)
	}
	if res := d.ask("GET", "/monitoring/", "", "Authorization", "Bearer "+operator); res.StatusCode != http.StatusOK {
		t.Errorf("a script with a token: %s", res.Status)
	}
}

func TestOnlyAnOperatorsTokenLogsIn(t *testing.T) {
	d := newDoor(t, nil)
	res := d.logIn("an-api-token-of-somebody")
	if res.StatusCode != http.StatusUnauthorized || len(res.Cookies()) != 0 || !strings.Contains(read(t, res), "none of OPERATOR_TOKENS") {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	c := d.logIn(operator, "X-Forwarded-Proto", "https, http").Cookies()[0]
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/monitoring" || c.MaxAge != 8*3600 {
		t.Errorf("%+v", c)
	}
	if strings.Contains(c.Value, operator) || !d.sees(c.Value) {
		t.Errorf("cookie %q", c.Value)
	}
	if out := d.ask("POST", "/monitoring/logout", "", "Origin", "http://example.com").Cookies()[0]; out.MaxAge != -1 || out.Value != "" {
		t.Errorf("%+v", out)
	}
}

func TestAForgedOrOldSessionOpensNothing(t *testing.T) {
	d := newDoor(t, nil, "another-operators-token")
	good := d.session(operator)
	end, mac, _ := strings.Cut(good, ".")
	for what, cookie := range map[string]string{
		"empty": "", "no signature": end, "its signature alone": "." + mac, "longer": "9" + end + "." + mac,
		"of another key": end + "." + sign([32]byte{1}, end), "endless": "." + sign(d.sessions.keys[0], ""), "cut": good[:len(good)-1], "the token": operator,
	} {
		if d.sees(cookie) {
			t.Errorf("%s: %q", what, cookie)
		}
	}
	other := d.session("another-operators-token")
	if !d.sees(good) || !d.sees(other) {
		t.Error("a fresh session opens nothing")
	}
	if after := newDoor(t, nil); after.sees(other) || !after.sees(good) {
		t.Error("a session outlives its token, or a token's session its process does not")
	}
	d.now = d.now.Add(sessionLife)
	if d.sees(good) {
		t.Error("a session has no end")
	}
}

// fakeAPI keeps what reaches Longhaul.
type fakeAPI struct {
	cancelled []execution.ID
	err       error
}

func (a *fakeAPI) Cancel(_ context.Context, id execution.ID, _ time.Duration) (*api.Cancelled, error) {
	a.cancelled = append(a.cancelled, id)
	return &api.Cancelled{}, a.err
}

const (
	id     = "exec_1762548673499_vqx7d3cpo"
	cancel = "/monitoring/api/queues/default/active_tasks/" + id + ".1:cancel"
)

func TestAWriteOfAnotherSitesPageIsRefused(t *testing.T) {
	longhaul := &fakeAPI{}
	d := newDoor(t, longhaul)
	session := sessionCookie + "=" + d.session(operator)
	for _, headers := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site", "Origin", "http://example.com"}, {},
	} {
		if res := d.ask("POST", cancel, "", append(headers, "Cookie", session)...); res.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %s", headers, res.Status)
		}
		if res := d.logIn(operator, headers...); len(headers) > 0 && res.StatusCode != http.StatusForbidden {
			t.Errorf("log-in with %v: %s", headers, res.Status)
		}
	}
	if longhaul.cancelled != nil {
		t.Error("it was carried out all the same")
	}
	for _, headers := range [][]string{{"Origin", "http://example.com", "Cookie", session}, {"Sec-Fetch-Site", "same-origin", "Cookie", session}, {"Authorization", "Bearer " + operator}} {
		if res := d.ask("POST", cancel, "", headers...); res.StatusCode != http.StatusNoContent {
			t.Errorf("%v: %s", headers, res.Status)
		}
	}
}

func TestWithoutActionsNothingCanBeWritten(t *testing.T) {
	d := newDoor(t, nil)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
		for _, path := range []string{cancel, "/monitoring/api/queues/default", "/monitoring/api/queues/default:pause", "/monitoring/api/queues/default/pending_tasks:delete_all", "/monitoring/"} {
			res := d.ask(method, path, "", "Authorization", "Bearer "+operator)
			if res.StatusCode != http.StatusForbidden || !strings.Contains(read(t, res), "MONITORING_ACTIONS") {
				t.Errorf("%s %s: %s", method, path, res.Status)
			}
		}
	}
}

func TestACancelIsTheAPIsAndWhatTheRecordsDecideIsRefused(t *testing.T) {
	longhaul := &fakeAPI{}
	d := newDoor(t, longhaul)
	post := func(path, body string) *http.Response {
		return d.ask("POST", path, body, "Authorization", "Bearer "+operator)
	}
	if res := post(cancel, ""); res.StatusCode != http.StatusNoContent || len(longhaul.cancelled) != 1 || longhaul.cancelled[0] != id {
		t.Errorf("%s %v", res.Status, longhaul.cancelled)
	}
	body := read(t, post("/monitoring/api/queues/low/active_tasks:batch_cancel", `{"task_ids":["`+id+`.1","nonsense"]}`))
	if !strings.Contains(body, `"canceled_ids":["`+id+`.1"]`) || !strings.Contains(body, `"error_ids":["nonsense"]`) {
		t.Error(body)
	}
	for want, err := range map[int]error{
		409: execution.Errorf(execution.Conflict, "it has ended"), 404: execution.Errorf(execution.NotFound, "none"), 502: errors.New("refused"),
	} {
		longhaul.err = err
		if res := post(cancel, ""); res.StatusCode != want {
			t.Errorf("%v: %s", err, res.Status)
		}
	}
	asked := len(longhaul.cancelled)
	q := "/monitoring/api/queues/default"
	for _, path := range []string{
		q + "/active_tasks:cancel_all", q + "/pending_tasks:archive_all", q + "/pending_tasks/" + id + ".1:archive", q + "/scheduled_tasks/" + id + ".1:run",
		q + "/archived_tasks:run_all", q + "/retry_tasks:batch_delete", q + "/completed_tasks:batch_delete",
		q + "/active_tasks/x/active_tasks/" + id + ".1:cancel", "/monitoring/api/queues/a/b:pause",
	} {
		if res := post(path, "{}"); res.StatusCode != http.StatusForbidden || !strings.Contains(read(t, res), "POST /execute/cancel/{id}") {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	for _, path := range []string{q, q + "/pending_tasks/" + id + ".1", q + "/completed_tasks:delete_all", cancel, q + ":pause"} {
		if res := d.ask("DELETE", path, "", "Authorization", "Bearer "+operator); res.StatusCode != http.StatusForbidden {
			t.Errorf("DELETE %s: %s", path, res.Status)
		}
	}
	if len(longhaul.cancelled) != asked {
		t.Error("one of them reached the API")
	}
}

func TestOnlyIDsOfExecutionsAreShown(t *testing.T) {
	for in, want := range map[string]string{id: id, "": "", "sk-secret": hidden, `{"command":"x"}`: hidden, id + " sk-secret": hidden, "\xff": hidden} {
		if got := onlyIDs("execution", []byte(in)); got != want {
			t.Errorf("%q is shown as %q", in, got)
		}
	}
}

func TestThePageAsksNoOtherServerAndRunsNoOtherScript(t *testing.T) {
	d := newDoor(t, nil)
	for _, path := range []string{"/monitoring/", "/monitoring/queues/default/tasks/" + id + ".1"} {
		res := d.ask("GET", path, "", "Authorization", "Bearer "+operator)
		if page := read(t, res); strings.Contains(page, "https://") || !strings.Contains(page, `FLAG_READ_ONLY="true"`) || !strings.Contains(page, "/monitoring/logout") {
			t.Errorf("%s: %s", path, page)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
			"Access-Control-Allow-Origin": "",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		policy := res.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self' 'sha256-") || strings.Count(policy, "'sha256-") != 2 || strings.Contains(policy, "unsafe-eval") {
			t.Error(policy)
		}
	}
}

func TestALinkFromAnotherSiteKeepsTheSession(t *testing.T) {
	d := newDoor(t, nil)
	res := d.ask("GET", "/monitoring/", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
	if res.StatusCode != http.StatusOK || read(t, res) != cameFromElsewhere {
		t.Errorf("%s", res.Status)
	}
}
