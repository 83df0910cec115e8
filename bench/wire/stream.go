package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Source is a stream of events, read in pieces as they come: what is in them is
// for the reader to look for. A piece may end anywhere.
type Source interface {
	io.Reader
	Close()
}

// Stream is an answer of Server-Sent Events, without HTTP's own framing.
type Stream struct {
	conn *Conn
	body io.Reader
}

// OpenStream sends the request and reads the head of the answer.
func OpenStream(r Request) (*Stream, error) {
	c, err := dial(r, 16<<10)
	if err != nil {
		return nil, err
	}
	res, err := c.send(r) //nolint:bodyclose // the stream is the body, and ends with its connection
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("stream: %s", res.Status)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return &Stream{c, res.Body}, nil
}

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	if err := s.conn.net.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return s.body.Read(p)
}

// Close breaks it off.
func (s *Stream) Close() { s.conn.Close() }

// Frame is one event of a stream, good until the next one is asked for.
type Frame struct{ ID, Event, Data []byte }

// Frames takes a stream of Server-Sent Events apart, as
// https://html.spec.whatwg.org/multipage/server-sent-events.html says, for
// servers that end lines with LF.
type Frames struct {
	from io.Reader
	buf  []byte
	at   int // what is before it was given out
}

// NewFrames reads from any reader.
func NewFrames(from io.Reader) *Frames { return &Frames{from: from} }

// Next gives the next whole frame with data or an event name; io.EOF when the
// stream ended after one, io.ErrUnexpectedEOF when within one.
func (f *Frames) Next() (Frame, error) {
	for {
		block, err := f.block()
		if err != nil {
			return Frame{}, err
		}
		if frame := parseFrame(block); frame.Event != nil || frame.Data != nil {
			return frame, nil
		}
	}
}

// block is what is before the next empty line.
func (f *Frames) block() ([]byte, error) {
	searched := 0 // of the rest, in vain
	for {
		rest := f.buf[f.at:]
		if i := bytes.Index(rest[searched:], []byte("\n\n")); i >= 0 {
			block := rest[:searched+i]
			f.at += searched + i + 2
			return block, nil
		}
		searched = max(len(rest)-1, 0)
		if err := f.fill(); err != nil {
			if errors.Is(err, io.EOF) && len(rest) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// fill reads more behind what is not given out yet.
func (f *Frames) fill() error {
	f.buf = append(f.buf[:0], f.buf[f.at:]...)
	f.at = 0
	if len(f.buf) == cap(f.buf) {
		f.buf = append(make([]byte, 0, max(16<<10, 2*cap(f.buf))), f.buf...)
	}
	n, err := f.from.Read(f.buf[len(f.buf):cap(f.buf)])
	f.buf = f.buf[:len(f.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

// parseFrame joins several data lines with a line end, as the standard says.
func parseFrame(block []byte) Frame {
	var f Frame
	for line := range bytes.SplitSeq(block, []byte("\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			f.ID = value
		case "event":
			f.Event = value
		case "data":
			if f.Data == nil {
				f.Data = value[:len(value):len(value)]
			} else {
				f.Data = append(append(f.Data, '\n'), value...)
			}
		}
	}
	return f
}
