package config

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// together checks what settings say to each other.
func (l *loader) together() {
	c := l.config
	if c.role&API != 0 {
		l.tokens()
	}
	if c.role&Monitoring != 0 {
		l.monitoring()
	}
	if c.role == Dev {
		c.WorkerPort = 0 // the API of the same process answers
	}
	if c.role&both != 0 {
		l.draining()
	}
}

// draining warns of engines that a deploy would kill.
func (l *loader) draining() {
	c := l.config
	if c.DrainTimeout <= c.CancelGrace && l.problems == nil {
		c.Warnings = append(c.Warnings, fmt.Sprintf("DRAIN_TIMEOUT (%s) is not longer than CANCEL_GRACE (%s): at a deploy engines are killed before their grace is over; raise DRAIN_TIMEOUT and the time the platform waits", show(c.DrainTimeout), show(c.CancelGrace)))
	}
	if l.lookup(railwayEnvironment) != "" && l.lookup(railwayDraining) == "" {
		c.Warnings = append(c.Warnings, "Railway kills at once at a deploy unless "+railwayDraining+" is set: set drainingSeconds to 30 in the service's settings")
	}
}

func (l *loader) tokens() {
	c := l.config
	if len(c.APITokens) == 0 && !loopback(c.Host) {
		l.problem("API_TOKENS is missing: the API would be open to everyone who reaches it; set it, such as API_TOKENS=%s, or listen on this machine only with HOST=127.0.0.1", "a-long-random-text")
	}
	if c.role != Dev {
		l.long("API_TOKENS", c.APITokens)
	}
	if len(c.StreamTokenSecret) == 0 {
		c.StreamTokenSecret = deriveSecret(c.APITokens)
	}
}

// monitoring is never open: what it shows is not for everyone on a machine.
func (l *loader) monitoring() {
	c := l.config
	if len(c.OperatorTokens) == 0 {
		l.problem("OPERATOR_TOKENS is missing: the dashboard would be open to everyone who reaches it; set it, such as OPERATOR_TOKENS=%s", "a-long-random-text")
	}
	l.long("OPERATOR_TOKENS", c.OperatorTokens)
	if c.MonitoringActions && (c.LonghaulURL == "" || c.LonghaulToken == "") {
		l.problem("MONITORING_ACTIONS is on, and a cancel goes through the API: set LONGHAUL_URL and LONGHAUL_TOKEN too, such as LONGHAUL_URL=%s", "http://api:8080")
	}
}

// long refuses tokens that can be guessed.
func (l *loader) long(setting string, tokens []string) {
	for _, t := range tokens {
		if len(t) < minSecret {
			l.problem("%s holds a token shorter than %d characters, which can be guessed: make one with `openssl rand -base64 24`", setting, minSecret)
			return
		}
	}
}

// deriveSecret is the same on all replicas. Who holds an API token may read
// every stream anyway, so the secret gives away nothing more. Without tokens
// there is one process only, and randomness will do.
func deriveSecret(tokens []string) []byte {
	if len(tokens) == 0 {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails, as crypto/rand says
		return key
	}
	tokens = slices.Sorted(slices.Values(tokens))
	mac := hmac.New(sha256.New, []byte(strings.Join(tokens, "\n")))
	mac.Write([]byte("longhaul stream token"))
	return mac.Sum(nil)
}
