package logstream

import (
	"bytes"
	"strings"
)

const (
	tailBytes = 2 << 10 // a message, not a log
	tailLines = 10
)

// tail remembers the end of a stream.
type tail struct{ b []byte }

func (t *tail) add(p []byte) {
	if len(p) >= tailBytes {
		t.b = append(t.b[:0], p[len(p)-tailBytes:]...)
		return
	}
	if len(t.b)+len(p) > 2*tailBytes { // seldom, so that most writes only append
		n := copy(t.b, t.b[len(t.b)-tailBytes:])
		t.b = t.b[:n]
	}
	t.b = append(t.b, p...)
}

// String gives the last lines without the newline at the end, as valid UTF-8.
func (t *tail) String() string {
	b := bytes.TrimRight(t.b, "\r\n\t ")
	if len(b) > tailBytes {
		b = b[len(b)-tailBytes:]
		for i := 0; i < 3 && len(b) > 0 && b[0]&0xC0 == 0x80; i++ { // within a rune
			b = b[1:]
		}
	}
	from := len(b)
	for i := 0; i < tailLines && from >= 0; i++ {
		from = bytes.LastIndexByte(b[:from], '\n')
	}
	s := strings.ToValidUTF8(string(b[from+1:]), "\uFFFD")
	if len(s) > tailBytes { // the replacement is longer than what it replaces
		s = strings.ToValidUTF8(s[len(s)-tailBytes:], "")
	}
	return s
}
