package logstream

// A form is a kind of token that can be told by its looks alone, so that it is
// masked even where nobody has named it a secret. Whether a text at some place
// is one depends on the window bytes from there on and the two before, so the
// answer is the same however the text is split.
type form struct {
	begin string
	no    int // its place in forms
	// free: it may begin within a word. Else the byte before must not be part
	// of one, so that "task-…" holds no "sk-…".
	free  bool
	match matchFunc

	// For matchRun: begin, then min characters of class at least.
	class classes
	min   int
	keep  int  // so many bytes of begin are no secret
	mixed bool // a digit or an upper-case letter is needed: words have none
}

// matchFunc looks at b, which starts with f.begin. from and to are what must
// be masked; goes, with to at b's end, what belongs to it when it follows.
type matchFunc func(f *form, b []byte, final bool) (from, to int, goes classes, v verdict)

type verdict int

const (
	not    verdict = iota
	partly         // b may become a token when more follows
	wholly         // b begins with a token
)

// window bounds what has to be seen for a verdict, and so what is held back:
// the usual private key of 4096 bits has 3.2 KiB. What is still undecided there
// is taken for a token.
const window = 4 << 10

// numForms is len(forms), for arrays.
const numForms = 18

// The lengths are a little below those of real tokens, the classes as
// documented by those who issue them.
var forms = numbered([numForms]form{
	{begin: "sk-", match: matchRun, class: base64url, min: 20, mixed: true}, // OpenAI, Anthropic (sk-ant-…) and others
	{begin: "ghp_", match: matchRun, class: alnum, min: 30},                 // GitHub: personal, OAuth, server, user, refresh
	{begin: "gho_", match: matchRun, class: alnum, min: 30},
	{begin: "ghs_", match: matchRun, class: alnum, min: 30},
	{begin: "ghu_", match: matchRun, class: alnum, min: 30},
	{begin: "ghr_", match: matchRun, class: alnum, min: 30},
	{begin: "github_pat_", match: matchRun, class: word, min: 22},
	{begin: "xoxa-", match: matchRun, class: alnumDash, min: 10}, // Slack
	{begin: "xoxb-", match: matchRun, class: alnumDash, min: 10},
	{begin: "xoxp-", match: matchRun, class: alnumDash, min: 10},
	{begin: "AKIA", match: matchRun, class: upperDigit, min: 16},                       // AWS
	{begin: "AIza", match: matchRun, class: base64url, min: 35},                        // Google
	{begin: "glpat-", match: matchRun, class: base64url, min: 20},                      // GitLab
	{begin: "hf_", match: matchRun, class: alnum, min: 30},                             // Hugging Face
	{begin: "eyJ", match: matchJWT},                                                    // RFC 7519; base64 of {"
	{begin: "Bearer ", match: matchRun, class: token68, min: 16, keep: len("Bearer ")}, // RFC 6750
	{begin: "://", match: matchURL, free: true},                                        // RFC 3986 userinfo
	{begin: "-----BEGIN ", match: matchPEM, free: true},                                // RFC 7468
})

func numbered(list [numForms]form) [numForms]form {
	for i := range list {
		list[i].no = i
	}
	return list
}

// mayBegin reports whether the form may begin behind these two bytes. An escape
// such as \n in a JSON string ends a word, though it ends with a letter.
func (f *form) mayBegin(far, near byte) bool {
	return f.free || classOf[near]&base64url == 0 || far == '\\'
}

// classes is a set of character classes.
type classes uint16

const (
	alnum      classes = 1 << iota
	word               // and _
	alnumDash          // and -
	base64url          // and _ -
	upperDigit         // A-Z 0-9
	token68            // RFC 9110: alnum - . _ ~ + / =
	jwtAny             // base64url and the dots between the parts
	pemBody            // base64, white space, and the \ of an escaped newline
	userinfo           // what a URL's user may have
	password           // the same and : @
)

var classOf = func() (t [256]classes) {
	set := func(c classes, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= c
		}
	}
	for c := range 256 {
		switch {
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			t[c] |= upperDigit
			fallthrough
		case c >= 'a' && c <= 'z':
			t[c] |= alnum | word | alnumDash | base64url | token68 | jwtAny | pemBody
		}
		if c > ' ' && c != 0x7F {
			t[c] |= userinfo | password
		}
	}
	set(word, "_")
	set(alnumDash, "-")
	set(base64url, "_-")
	set(token68, "-._~+/=")
	set(jwtAny, "_-.")
	set(pemBody, "+/= \t\r\n\\")
	for _, c := range []byte("/?#\"'`<>\\") {
		t[c] &^= userinfo | password
	}
	for _, c := range []byte(":@[") {
		t[c] &^= userinfo
	}
	return t
}()

// run counts the bytes at the start of b that are of class c.
func run(b []byte, c classes) int {
	for i := range b {
		if classOf[b[i]]&c == 0 {
			return i
		}
	}
	return len(b)
}

// open gives the span of a token that reaches to i and as far on as its class does.
func open(b []byte, from, i int, c classes, final bool) (int, int, classes, verdict) {
	i += run(b[i:], c)
	if i == len(b) && !final {
		return from, i, c, wholly
	}
	return from, i, 0, wholly
}

// matchRun is for a fixed beginning and a run of one class.
func matchRun(f *form, b []byte, final bool) (from, to int, goes classes, v verdict) {
	n := len(f.begin)
	body := b[n:min(len(b), n+window)]
	got := run(body, f.class)
	switch {
	case got == window, got >= f.min && (!f.mixed || isMixed(body[:got])):
		return open(b, f.keep, n+got, f.class, final)
	case got == len(body) && !final:
		return 0, 0, 0, partly
	}
	return 0, 0, 0, not
}

func isMixed(b []byte) bool {
	for _, c := range b {
		if classOf[c]&upperDigit != 0 {
			return true
		}
	}
	return false
}
