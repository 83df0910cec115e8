package logstream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestAStreamHoldsBackOnlyWhatMayBeASecret(t *testing.T) {
	r := NewRedactor([]string{"topsecret"})
	steps := []struct{ in, out string }{
		{"hello ", "hello "},
		{"to", ""},
		{"day", "today"},
		{"tops", ""},
		{"ecre", ""},
		{"t.", "***."},
		{"FLUSH", ""},
		{"top", ""},
		{"FLUSH", "top"},
		{"secret!", "***!"}, // three bytes are out, the rest is not
		{"tops", ""},
		{"FLUSH", ""}, // too much of it
		{"CLOSE", "tops"},
	}
	s := r.Stream()
	for i, step := range steps {
		var got []byte
		switch step.in {
		case "FLUSH":
			got = s.Flush()
		case "CLOSE":
			got = s.Close()
		default:
			got = s.Write([]byte(step.in))
		}
		if string(got) != step.out {
			t.Fatalf("step %d %q: %q, want %q", i, step.in, got, step.out)
		}
	}
}

func TestALongTokenIsSwallowedWithoutBeingHeld(t *testing.T) {
	s := NewRedactor(nil).Stream()
	got := string(s.Write([]byte("ghp_")))
	for range 1000 {
		got += string(s.Write([]byte(alnum36)))
		if s.Held() > 64 {
			t.Fatalf("holds %d bytes", s.Held())
		}
	}
	got += string(s.Write([]byte(" end")))
	if got != "*** end" {
		t.Errorf("%q", got)
	}
}

func TestWhatIsHeldOfAnUndecidedTokenIsBounded(t *testing.T) {
	for _, begin := range []string{"eyJ", "sk-", "-----BEGIN PRIVATE KEY-----\n", "http://user:"} {
		s := NewRedactor(nil).Stream()
		var out strings.Builder
		out.Write(s.Write([]byte(begin)))
		for range 3 * window {
			out.Write(s.Write([]byte("a")))
			if s.Held() > window+64 {
				t.Fatalf("%q: holds %d bytes", begin, s.Held())
			}
		}
		out.Write(s.Write([]byte("\x01.")))
		out.Write(s.Close())
		if begin != "http://user:" && out.String() != "***\x01." {
			t.Errorf("%q: %.60q", begin, out.String())
		}
	}
}

// leaky reports whether got is text with its spans masked, where each span may
// show less than shortTail of its bytes before its mask.
func leaky(text string, spans []span, got string) bool {
	return leakyFrom(text, 0, spans, got)
}

func leakyFrom(text string, at int, spans []span, got string) bool {
	if len(spans) == 0 {
		return got == text[at:]
	}
	if plain := max(spans[0].from-at, 0); plain > 0 {
		if !strings.HasPrefix(got, text[at:at+plain]) {
			return false
		}
		at, got = at+plain, got[plain:]
	}
	// Those that touch or overlap share one mask, or have one each where a
	// part was shown between them.
	to, n := at, 0
	for n < len(spans) && (n == 0 || spans[n].from <= to) {
		to = max(to, spans[n].to)
		n++
	}
	return masks(text, at, to, n, spans[n:], got)
}

func masks(text string, at, to, n int, rest []span, got string) bool {
	for leaked := range min(shortTail, len(got)) {
		after, ok := strings.CutPrefix(got[leaked:], Mask)
		if !ok || !strings.Contains(text[at:to], got[:leaked]) {
			continue
		}
		if leakyFrom(text, to, rest, after) || n > 1 && masks(text, at, to, n-1, rest, after) {
			return true
		}
	}
	return false
}

// checkStream feeds text to a stream in pieces and compares with the whole.
// cut says after each byte what to do: 0 go on, 1 split, 2 split and flush.
func checkStream(secrets []string, text string, cut func(i int) int) error {
	r := NewRedactor(secrets)
	want := r.RedactString(text)
	for _, secret := range secrets {
		if len([]rune(strings.TrimSpace(secret))) >= minSecret && strings.Contains(want, strings.TrimSpace(secret)) {
			return fmt.Errorf("one shot: %q in %q", secret, want)
		}
	}
	var got strings.Builder
	s := r.Stream()
	from, flushed := 0, false
	for i := range len(text) {
		what := cut(i)
		if what == 0 {
			continue
		}
		got.Write(s.Write([]byte(text[from : i+1])))
		from = i + 1
		if what == 2 {
			got.Write(s.Flush())
			flushed = true
		}
	}
	got.Write(s.Write([]byte(text[from:])))
	got.Write(s.Close())
	if !flushed {
		if got.String() != want {
			return fmt.Errorf("text %q: %q, want %q", text, got.String(), want)
		}
		return nil
	}
	for _, secret := range secrets {
		if s := strings.TrimSpace(secret); len([]rune(s)) >= minSecret && strings.Contains(got.String(), s) {
			return fmt.Errorf("text %q: %q in %q", text, s, got.String())
		}
	}
	if !leaky(text, r.find([]byte(text)), got.String()) {
		return fmt.Errorf("text %q: %q is not %q with a few bytes shown", text, got.String(), want)
	}
	return nil
}

// parts are what the random texts are made of: secrets, tokens, their pieces, and noise.
func randomText(rnd *rand.Rand, secrets []string) string {
	tokens := []string{
		"sk-" + alnum36, "ghp_" + alnum36, "AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.sIgN", pemKey,
		"Bearer abcdefghijklmnop", "redis://:hunter2@cache:6379/0 ", "xoxb-123456789012", "http://a:b@c@d", "\\n", "-----", "sk-", "eyJ", "://",
		"ghp_" + strings.Repeat(alnum36, 150), "sk-" + strings.Repeat("a", 5000), "eyJ" + strings.Repeat("a.", 6), "-----BEGIN PRIVATE KEY-----",
	}
	var b strings.Builder
	for range 1 + rnd.IntN(12) {
		var part string
		switch rnd.IntN(6) {
		case 0:
			part = tokens[rnd.IntN(len(tokens))]
		case 1, 2:
			part = secrets[rnd.IntN(len(secrets))]
		case 3:
			v := variants(strings.TrimSpace(secrets[rnd.IntN(len(secrets))]) + "......")
			part = v[rnd.IntN(len(v))]
		default:
			part = randomSecret(rnd)
		}
		if rnd.IntN(2) == 0 && part != "" { // only a piece of it
			from := rnd.IntN(len(part))
			part = part[from : from+rnd.IntN(len(part)-from+1)]
		}
		b.WriteString(part)
	}
	return b.String()
}

func randomSecret(rnd *rand.Rand) string {
	alphabet := []string{"ab", "abc\n", "abcdefghij", "xyz \"\\/+ä"}[rnd.IntN(4)]
	b := make([]byte, rnd.IntN(24))
	for i := range b {
		b[i] = alphabet[rnd.IntN(len(alphabet))]
	}
	return string(b)
}

func TestAStreamSaysTheSameAsTheWholeHoweverItIsSplit(t *testing.T) {
	rounds := 1200
	if testing.Short() {
		rounds = 500
	}
	for seed := range uint64(rounds) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		secrets := make([]string, 1+rnd.IntN(5))
		for i := range secrets {
			secrets[i] = randomSecret(rnd)
		}
		text := randomText(rnd, secrets)
		often, flush := 1+rnd.IntN(30), rnd.IntN(2)
		err := checkStream(secrets, text, func(int) int {
			if rnd.IntN(often) > 0 {
				return 0
			}
			return 1 + flush*rnd.IntN(2)
		})
		if err != nil {
			t.Fatalf("seed %d, secrets %q: %v", seed, secrets, err)
		}
	}
}

func FuzzRedactor(f *testing.F) {
	f.Add("topsecret", "a topsecret b", uint64(1))
	f.Add("aaaaaaab", "aaaaaaaaaaaaab", uint64(3))
	f.Add("x\ny\nlonger line", pemKey+"://u:p@h eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.s", uint64(7))
	f.Fuzz(func(t *testing.T, secret, text string, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		if err := checkStream([]string{secret}, text, func(int) int { return rnd.IntN(3) }); err != nil {
			t.Fatal(err)
		}
	})
}
