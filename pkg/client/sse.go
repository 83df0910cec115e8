package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// frame is one event of an event stream.
type frame struct {
	id    string // the last id seen, as the standard has it: it stays until the next
	event string // "" is "message"
	data  []byte
}

// parser reads an event stream as WHATWG HTML, 9.2.6 says: lines end with LF,
// CR or CRLF, a blank one ends an event, and an event cut off by the end of the
// stream is dropped.
type parser struct {
	r      *bufio.Reader
	line   []byte
	skipLF bool // the last line ended with CR: a LF right after belongs to it
	begun  bool
	id     string
	retry  time.Duration // the server's last word on when to reconnect; 0 if none
}

// maxLine bounds one line: the largest event of the server with room.
const maxLine = 32 << 20

var errLineTooLong = errors.New("the stream has a line of more than 32 MiB")

func newParser(r io.Reader) *parser { return &parser{r: bufio.NewReaderSize(r, 64<<10)} }

// next reads one event. io.EOF is the end of the stream.
func (p *parser) next() (frame, error) {
	var f frame
	hasData := false
	for {
		line, err := p.readLine()
		if err != nil {
			return frame{}, err
		}
		if len(line) == 0 {
			if !hasData {
				f = frame{}
				continue
			}
			f.id = p.id
			return f, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "data":
			if hasData {
				f.data = append(f.data, '\n')
			}
			f.data, hasData = append(f.data, value...), true
		case "event":
			f.event = string(value)
		case "id":
			if !bytes.ContainsRune(value, 0) {
				p.id = string(value)
			}
		case "retry":
			p.setRetry(string(value))
		}
	}
}

func (p *parser) setRetry(value string) {
	if strings.Trim(value, "0123456789") != "" {
		return
	}
	if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
		p.retry = time.Duration(ms) * time.Millisecond
	}
}

// readLine gives a line without its end. It is valid until the next call.
func (p *parser) readLine() ([]byte, error) {
	p.line = p.line[:0]
	for {
		if _, err := p.r.Peek(1); err != nil {
			return nil, err // what came of the last line is dropped
		}
		buffered, _ := p.r.Peek(p.r.Buffered())
		if p.skipLF {
			p.skipLF = false
			if buffered[0] == '\n' {
				_, _ = p.r.Discard(1)
				continue
			}
		}
		end := bytes.IndexAny(buffered, "\r\n")
		if end < 0 {
			p.line = append(p.line, buffered...)
			_, _ = p.r.Discard(len(buffered))
			if len(p.line) > maxLine {
				return nil, errLineTooLong
			}
			continue
		}
		p.line = append(p.line, buffered[:end]...)
		p.skipLF = buffered[end] == '\r'
		_, _ = p.r.Discard(end + 1)
		if !p.begun {
			p.begun = true
			p.line = bytes.TrimPrefix(p.line, []byte("\xef\xbb\xbf"))
		}
		return p.line, nil
	}
}
