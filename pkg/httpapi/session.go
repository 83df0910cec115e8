package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/execution"
)

// A session is what a browser has in place of an API token: a cookie of the form
// "<Unix seconds of its end>.<HMAC-SHA256 of that end>". The key is the hash of the
// token that logged in, so every replica can check it, nothing is stored, and
// who takes a token out of API_TOKENS ends its sessions too.
const sessionCookie = "longhaul_session"

// sessionLife is a working day: after it the console asks for the token again.
const sessionLife = 12 * time.Hour

func signSession(hash [sha256.Size]byte, end string) string {
	mac := hmac.New(sha256.New, hash[:])
	mac.Write([]byte("session\x00" + end))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// session makes the value of a cookie for one who has shown token.
func (t *tokens) session(token string) string {
	end := strconv.FormatInt(t.now().Add(sessionLife).Unix(), 10)
	return end + "." + signSession(sha256.Sum256([]byte(token)), end)
}

// readSession says whose session value is, the same owner as with the token itself,
// and when it ends.
func (t *tokens) readSession(value string) (owner string, ends time.Time, ok bool) {
	end, mac, _ := strings.Cut(value, ".")
	for _, hash := range t.api {
		if hmac.Equal([]byte(mac), []byte(signSession(hash, end))) {
			owner, ok = hex.EncodeToString(hash[:16]), true
		}
	}
	seconds, err := strconv.ParseInt(end, 10, 64)
	ends = time.Unix(seconds, 0)
	return owner, ends, ok && err == nil && t.now().Before(ends)
}

// checkSession lets a request with a session's cookie in, if the page that sent
// it may act for its visitor.
func (s *Server) checkSession(ctx huma.Context, r *request, value string) error {
	owner, ends, ok := s.tokens.readSession(value)
	if !ok {
		return execution.Errorf(execution.Unauthorized, "the session has ended: log in at /console, or send \"Authorization: Bearer <token>\" with one of the setting %s", s.tokenSetting)
	}
	if acts(ctx) && !sameOrigin(ctx) {
		return execution.Errorf(execution.Forbidden, "with a session of the console, only its own pages may do this: elsewhere send \"Authorization: Bearer <token>\"")
	}
	r.owner, r.expires = owner, ends
	return nil
}

// acts says that a request may change something. Two routes do so by GET: the one
// that starts an execution, and the WebSocket, over which a client may cancel.
func acts(ctx huma.Context) bool {
	switch ctx.Method() {
	case http.MethodGet, http.MethodHead:
		path := ctx.Operation().Path
		return path == "/execute" || path == "/execute/ws/{id}"
	}
	return true
}

// sameOrigin says that a page of this server sent the request. A browser tells
// it in Sec-Fetch-Site, or, where the page came over plain HTTP, in Origin alone.
func sameOrigin(ctx huma.Context) bool {
	if site := ctx.Header("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	u, err := url.Parse(ctx.Header("Origin"))
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, ctx.Host())
}

// cookieOf takes the session out of a request; "" where there is none.
func cookieOf(ctx huma.Context) string {
	cookie, err := huma.ReadCookie(ctx, sessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}
