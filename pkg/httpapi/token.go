package httpapi

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// tokens knows who may ask. It keeps hashes only, so that a dump of memory or a
// debugger shows no token.
type tokens struct {
	api     [][sha256.Size]byte
	metrics [][sha256.Size]byte // api and the token for /metrics alone
	secret  []byte
	life    time.Duration // of a stream token
	now     func() time.Time
}

func newTokens(list []string, metrics string, secret []byte, life time.Duration, now func() time.Time) tokens {
	t := tokens{secret: secret, life: life, now: now}
	for _, token := range list {
		t.api = append(t.api, sha256.Sum256([]byte(token)))
	}
	t.metrics = t.api[:len(t.api):len(t.api)]
	if metrics != "" {
		t.metrics = append(t.metrics, sha256.Sum256([]byte(metrics)))
	}
	if len(t.secret) == 0 { // one replica that is open or for tests
		t.secret = make([]byte, 32)
		_, _ = rand.Read(t.secret) // never fails: crypto/rand crashes the program instead
	}
	return t
}

// open reports that no token is configured, which config allows on loopback only.
func (t *tokens) open() bool { return len(t.api) == 0 }

// known compares with every hash in constant time.
func known(token string, hashes [][sha256.Size]byte) bool {
	sum := sha256.Sum256([]byte(token))
	found := 0
	for i := range hashes {
		found |= subtle.ConstantTimeCompare(sum[:], hashes[i][:])
	}
	return found == 1
}

// owner separates callers from each other without keeping their token.
func owner(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:16])
}

// A stream token is "<Unix seconds of its end>.<HMAC-SHA256 over id and end>".

// issue makes a stream token for id.
func (t *tokens) issue(id execution.ID) (token string, expires time.Time) {
	expires = t.now().Add(t.life).Truncate(time.Second)
	end := strconv.FormatInt(expires.Unix(), 10)
	return end + "." + t.sign(id, end), expires
}

func (t *tokens) sign(id execution.ID, end string) string {
	mac := hmac.New(sha256.New, t.secret)
	mac.Write([]byte("stream\x00" + string(id) + "\x00" + end))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

var (
	errForeignToken = errors.New("the stream token is not for this execution, or was signed by another server: take the one that came with the start of this execution, or ask POST /execute/stream-token/{id}")
	errExpiredToken = errors.New("the stream token has expired (the setting MAX_SSE_DURATION): renew it with POST /execute/stream-token/{id}, and go on with the same cursor")
)

// verify checks a stream token for id and says until when it holds.
func (t *tokens) verify(token string, id execution.ID) (time.Time, error) {
	end, mac, _ := strings.Cut(token, ".")
	if !hmac.Equal([]byte(mac), []byte(t.sign(id, end))) {
		return time.Time{}, errForeignToken
	}
	seconds, err := strconv.ParseInt(end, 10, 64)
	if err != nil {
		return time.Time{}, errForeignToken
	}
	expires := time.Unix(seconds, 0)
	if !t.now().Before(expires) {
		return time.Time{}, errExpiredToken
	}
	return expires, nil
}
