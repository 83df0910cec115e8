package logstream

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// words are values to redact.
type words struct {
	known    map[string]bool
	literals []string // the known values in all their forms
}

// learn is false for a value that is ignored.
func (w *words) learn(value string) bool {
	value = strings.TrimSpace(value) // a file's last newline is no part of the secret in it
	if utf8.RuneCountInString(value) < minSecret {
		return false
	}
	if !w.known[value] {
		w.known[value] = true
		w.literals = append(w.literals, variants(value)...)
	}
	return true
}

func (w words) clone() words { return words{maps.Clone(w.known), slices.Clone(w.literals)} }

// basis is what a redactor begins with. It never changes, and all executions of
// one engine share it: its table alone has 80 KiB, and to make it takes longer
// than all that a short execution prints.
type basis struct {
	secrets []string
	words   words
	matcher *matcher
}

func newBasis(secrets []string) *basis {
	b := &basis{secrets: slices.Clone(secrets), words: words{known: map[string]bool{}}}
	for _, s := range secrets {
		b.words.learn(s)
	}
	b.matcher = newMatcher(b.words.literals)
	return b
}

var (
	// bare knows the token forms alone.
	bare = sync.OnceValue(func() *basis { return newBasis(nil) })
	// latest was made last. One is enough where one engine runs again and again;
	// with several, it is made as often as they alternate.
	latest atomic.Pointer[basis]
)

func basisOf(secrets []string) *basis {
	if len(secrets) == 0 {
		return bare()
	}
	b := latest.Load()
	if b == nil || !slices.Equal(b.secrets, secrets) {
		b = newBasis(secrets)
		latest.Store(b)
	}
	return b
}
