// Package wire has the clients that measure. They share the machine with what is
// measured, so they do as little as possible: requests are made once, responses
// are read in large pieces, and nothing is taken apart that need not be.
package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// patience is how long a client waits for one answer, or for the next piece of a stream.
const patience = 90 * time.Second

// Request is one that can be sent again and again.
type Request struct {
	addr string
	text []byte
}

// NewRequest makes one; body may be nil.
func NewRequest(method, address string, header http.Header, body []byte) (Request, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Request{}, err
	}
	text := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, u.RequestURI(), u.Host)
	for name, values := range header {
		for _, v := range values {
			text = fmt.Appendf(text, "%s: %s\r\n", name, v)
		}
	}
	if body != nil {
		text = append(text, "Content-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n"...)
	}
	return Request{u.Host, append(append(text, "\r\n"...), body...)}, nil
}

// Conn is one connection that is kept open.
type Conn struct {
	net net.Conn
	r   *bufio.Reader
}

// Dial connects to where a request goes.
func Dial(r Request) (*Conn, error) { return dial(r, 4<<10) }

func dial(r Request, buffer int) (*Conn, error) {
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		return nil, err
	}
	return &Conn{c, bufio.NewReaderSize(c, buffer)}, nil
}

// Close ends it; nobody cares how that went.
func (c *Conn) Close() { _ = c.net.Close() }

// send gives the head of the response.
func (c *Conn) send(r Request) (*http.Response, error) {
	if err := c.net.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := c.net.Write(r.text); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.r, nil)
}

// Do gives the body of a 2xx answer; any other one is an error.
func (c *Conn) Do(r Request) ([]byte, error) {
	res, err := c.send(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %.300s", res.Status, body)
	}
	return body, err
}

// Once is Do on a connection of its own.
func Once(r Request) ([]byte, error) {
	c, err := Dial(r)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(r)
}
