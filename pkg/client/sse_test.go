package client

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func parseAll(r io.Reader) (frames []frame, p *parser, err error) {
	p = newParser(r)
	for {
		f, err := p.next()
		if errors.Is(err, io.EOF) {
			return frames, p, nil
		}
		if err != nil {
			return frames, p, err
		}
		f.data = bytes.Clone(f.data)
		frames = append(frames, f)
	}
}

func TestParserReadsWhatTheStandardSays(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"a plain event", "data: a\n\n", "||a"},
		{"all fields", "id: 1\nevent: log\ndata: a\n\n", "1|log|a"},
		{"two data lines", "data: a\ndata: b\n\n", "||a\nb"},
		{"an empty data line", "data\n\n", "||"},
		{"one space goes, the rest stays", "data:  a \n\n", "|| a "},
		{"no space", "data:a\n\n", "||a"},
		{"CR and CRLF", "data: a\r\rdata: b\r\n\r\n", "||a;||b"},
		{"a comment", ": hi\n\ndata: a\n\n", "||a"},
		{"an unknown field", "foo: x\ndata: a\n\n", "||a"},
		{"the id stays", "id: 1\ndata: a\n\ndata: b\n\n", "1||a;1||b"},
		{"the event does not", "event: x\n\ndata: b\n\n", "||b"},
		{"an id with NUL is ignored", "id: 1\x00\ndata: a\n\n", "||a"},
		{"a byte order mark", "\xef\xbb\xbfdata: a\n\n", "||a"},
		{"an event that is cut off", "data: a\n\ndata: b\n", "||a"},
		{"a line that is cut off", "data: a\n\ndata: b", "||a"},
		{"nothing", "", ""},
	} {
		for how, r := range map[string]io.Reader{"whole": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in))} {
			frames, _, err := parseAll(r)
			var words []string
			for _, f := range frames {
				words = append(words, f.id+"|"+f.event+"|"+string(f.data))
			}
			if got := strings.Join(words, ";"); got != tt.want || err != nil {
				t.Errorf("%s, %s: got %q, want %q; %v", tt.name, how, got, tt.want, err)
			}
		}
	}
}

func TestParserHonoursRetryOfDigitsOnly(t *testing.T) {
	for in, want := range map[string]time.Duration{"1500": 1500 * time.Millisecond, "-1": 0, "1s": 0, "": 0, "99999999999999": 0} {
		if _, p, _ := parseAll(strings.NewReader("retry: " + in + "\n\n")); p.retry != want {
			t.Errorf("retry: %s is taken as %v", in, p.retry)
		}
	}
}

// However the network cuts the bytes, the same events come out, and no line end
// stays in them but between data lines.
func FuzzParser(f *testing.F) {
	f.Add([]byte("id: 1\nevent: log\ndata: {\"a\":1}\n\n: x\n\nretry: 5\n\n"))
	f.Add([]byte("data: a\r\n\r\ndata: b\r\rdata"))
	f.Add([]byte("\xef\xbb\xbf:\n\n\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, p, err := parseAll(bytes.NewReader(in))
		slow, q, slowErr := parseAll(iotest.OneByteReader(bytes.NewReader(in)))
		if err != nil || slowErr != nil || len(whole) != len(slow) || p.retry != q.retry {
			t.Fatalf("%d and %d events; %v and %v", len(whole), len(slow), err, slowErr)
		}
		for i := range whole {
			a, b := whole[i], slow[i]
			if a.id != b.id || a.event != b.event || !bytes.Equal(a.data, b.data) {
				t.Fatalf("event %d is %+v and %+v", i, a, b)
			}
			if strings.ContainsAny(a.id+a.event, "\r\n") || bytes.ContainsRune(a.data, '\r') {
				t.Fatalf("a line end in %+v", a)
			}
		}
	})
}
