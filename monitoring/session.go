package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sessions knows operators again. A session is a cookie with its end, signed with
// a key made from the token that opened it: nothing is kept here, every replica
// takes it, and a token that is taken out of OPERATOR_TOKENS takes its sessions along.
type sessions struct {
	keys [][sha256.Size]byte // of the tokens, which are not kept
	now  func() time.Time
}

const (
	sessionCookie = "longhaul_operator"
	sessionLife   = 8 * time.Hour // a working day
)

func newSessions(tokens []string, now func() time.Time) sessions {
	s := sessions{now: now}
	for _, token := range tokens {
		s.keys = append(s.keys, sha256.Sum256([]byte(token)))
	}
	return s
}

// open makes the value of a cookie for whoever has a token.
func (s *sessions) open(token string) (value string, ok bool) {
	key, ok := s.known(token)
	end := strconv.FormatInt(s.now().Add(sessionLife).Unix(), 10)
	return end + "." + sign(key, end), ok
}

// known compares with every token in constant time.
func (s *sessions) known(token string) (key [sha256.Size]byte, found bool) {
	sum := sha256.Sum256([]byte(token))
	for _, k := range s.keys {
		if subtle.ConstantTimeCompare(sum[:], k[:]) == 1 {
			key, found = k, true
		}
	}
	return key, found
}

// admit reports whether a request comes from an operator: with a session, or, from
// a script, with "Authorization: Bearer <token>".
func (s *sessions) admit(r *http.Request) bool {
	if token, ok := bearer(r); ok {
		_, known := s.known(token)
		return known
	}
	cookie, err := r.Cookie(sessionCookie)
	return err == nil && s.valid(cookie.Value)
}

func (s *sessions) valid(value string) bool {
	end, mac, _ := strings.Cut(value, ".")
	signed := false
	for _, key := range s.keys {
		signed = hmac.Equal([]byte(mac), []byte(sign(key, end))) || signed
	}
	seconds, err := strconv.ParseInt(end, 10, 64)
	return signed && err == nil && s.now().Before(time.Unix(seconds, 0))
}

func sign(key [sha256.Size]byte, end string) string {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("operator\x00" + end))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}
