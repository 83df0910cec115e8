package logstream

import "bytes"

// undecided is the verdict where the window, or the text, has ended first.
func undecided(b []byte, limit int, final bool) verdict {
	if len(b) < limit && !final {
		return partly
	}
	return not
}

// minJWTPart is what a JWT's header and claims have at least: {"a":1} has ten.
const minJWTPart = 8

// matchJWT is for header.claims.signature, each in base64url.
func matchJWT(_ *form, b []byte, final bool) (from, to int, goes classes, v verdict) {
	w := b[:min(len(b), window)]
	end := 0
	for range 2 {
		start := end
		end += run(w[start:], base64url)
		switch {
		case end == window:
			return open(b, 0, end, jwtAny, final)
		case end == len(w):
			return 0, 0, 0, undecided(b, window, final)
		case end-start < minJWTPart || w[end] != '.':
			return 0, 0, 0, not
		}
		end++
	}
	return open(b, 0, end, base64url, final)
}

// urlWindow bounds a URL's user, password and host.
const urlWindow = 1 << 10

// matchURL is for the password in scheme://user:password@host. A password with
// an unescaped @ is common enough: it reaches to the last @ before the path.
func matchURL(_ *form, b []byte, final bool) (from, to int, goes classes, v verdict) {
	w := b[:min(len(b), urlWindow)]
	i := len("://")
	i += run(w[i:], userinfo)
	if i == len(w) {
		return 0, 0, 0, undecided(b, urlWindow, final)
	}
	if w[i] != ':' {
		return 0, 0, 0, not
	}
	from = i + 1
	end := from + run(w[from:], password)
	if end == len(w) && undecided(b, urlWindow, final) == partly {
		return 0, 0, 0, partly
	}
	at := bytes.LastIndexByte(w[from:end], '@')
	if at < 1 {
		return 0, 0, 0, not
	}
	return from, from + at, 0, wholly
}

const (
	pemDashes = "-----"
	pemEnd    = "-----END "
	pemKind   = "PRIVATE KEY"
	maxLabel  = 64 // "RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"
	// pemHeader is how far into a block there may be headers, as of an
	// encrypted key, with characters that base64 lacks.
	pemHeader = 256
	// minPEMBody tells a key from a mention of its first line.
	minPEMBody = 16
)

// matchPEM is for a private key block, from its first line to its last. A
// block that breaks off, as in a cut file, is masked as far as it looks like one.
func matchPEM(f *form, b []byte, final bool) (from, to int, goes classes, v verdict) {
	w := b[:min(len(b), window)]
	label, ok := pemLine(w[len(f.begin):])
	switch {
	case !ok && len(w)-len(f.begin) < maxLabel:
		return 0, 0, 0, undecided(b, window, final)
	case !ok || !bytes.Contains(w[:len(f.begin)+label], []byte(pemKind)):
		return 0, 0, 0, not
	}
	body := len(f.begin) + label
	i := body
	for ; i < len(w); i++ {
		c := w[i]
		if classOf[c]&pemBody != 0 {
			continue
		}
		if c == '-' {
			rest := w[i:]
			if n := min(len(rest), len(pemEnd)); string(rest[:n]) == pemEnd[:n] {
				return pemLast(b, w, i, final)
			}
		}
		if i-body < pemHeader && (c == '-' || c == ':' || c == ',' || c == '.') {
			continue
		}
		break
	}
	switch {
	case i == window:
		return open(b, 0, i, pemBody, final)
	case i == len(w) && !final:
		return 0, 0, 0, partly
	case i-body < minPEMBody:
		return 0, 0, 0, not
	}
	return 0, i, 0, wholly
}

// pemLast is for the last line, at w[i:], of which a part may be missing yet.
func pemLast(b, w []byte, i int, final bool) (from, to int, goes classes, v verdict) {
	if len(w)-i < len(pemEnd) {
		if undecided(b, window, final) == partly {
			return 0, 0, 0, partly
		}
		return 0, len(w), 0, wholly
	}
	rest := w[i+len(pemEnd):]
	n, ok := pemLine(rest)
	switch {
	case ok:
		return 0, i + len(pemEnd) + n, 0, wholly
	case len(rest) < maxLabel && undecided(b, window, final) == partly:
		return 0, 0, 0, partly
	}
	return 0, i + len(pemEnd), 0, wholly
}

// pemLine gives the length of a label and the dashes behind it.
func pemLine(b []byte) (int, bool) {
	n := bytes.Index(b[:min(len(b), maxLabel)], []byte(pemDashes))
	return n + len(pemDashes), n >= 0
}
