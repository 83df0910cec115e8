package main

import (
	_ "embed" // the page
	"net/http"
	"strings"
)

//go:embed login.html
var loginHTML string

func (d *dashboard) loginPage(w http.ResponseWriter, _ *http.Request) {
	showLogin(w, http.StatusOK, "")
}

// showLogin writes the page. message is text of ours.
func showLogin(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(strings.Replace(loginHTML, "{message}", message, 1)))
}

func (d *dashboard) login(w http.ResponseWriter, r *http.Request) {
	if !sameOrigin(r) {
		http.Error(w, otherOrigin, http.StatusForbidden)
		return
	}
	value, ok := d.sessions.open(r.PostFormValue("token"))
	if !ok {
		d.log.WarnContext(r.Context(), "log-in refused: no token of OPERATOR_TOKENS")
		showLogin(w, http.StatusUnauthorized, "This is none of OPERATOR_TOKENS.")
		return
	}
	d.log.InfoContext(r.Context(), "operator logged in")
	setSession(w, r, value, int(sessionLife.Seconds()))
	http.Redirect(w, r, root+"/", http.StatusSeeOther)
}

func (d *dashboard) logout(w http.ResponseWriter, r *http.Request) {
	if !sameOrigin(r) {
		http.Error(w, otherOrigin, http.StatusForbidden)
		return
	}
	setSession(w, r, "", -1)
	http.Redirect(w, r, root+"/login", http.StatusSeeOther)
}

func setSession(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",") // each proxy on the way adds its own
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: root, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(strings.TrimSpace(proto), "https"),
	})
}

// cameFromElsewhere is for a link on another site, such as the API's /monitoring:
// the browser keeps a Strict cookie back, and sends it when this page goes on by itself.
const cameFromElsewhere = `<!doctype html><meta http-equiv="refresh" content="0"><title>Longhaul monitoring</title>`

// sendAway answers those who are not logged in.
func (d *dashboard) sendAway(w http.ResponseWriter, r *http.Request, api bool) {
	switch {
	case api || r.Method != http.MethodGet:
		http.Error(w, "not logged in, or no longer: open "+root+"/login, or send \"Authorization: Bearer <token>\" with one of OPERATOR_TOKENS", http.StatusUnauthorized)
	case r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") == "navigate":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(cameFromElsewhere))
	default:
		http.Redirect(w, r, root+"/login", http.StatusSeeOther)
	}
}

var crossOrigin = http.NewCrossOriginProtection()

const otherOrigin = "refused: this comes from another site's page"

// sameOrigin reports whether a write comes from a page of this dashboard. A
// browser says so with every write; what says nothing must be a script with a
// token, which no page can send for its visitor.
func sameOrigin(r *http.Request) bool {
	_, script := bearer(r)
	said := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
	return (said || script) && crossOrigin.Check(r) == nil
}
