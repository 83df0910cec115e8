package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options of a Client. The zero value of each means its default.
type Options struct {
	// HTTP makes the requests. It must have no Timeout, which would cut streams.
	HTTP *http.Client
	// GiveUpAfter is how long Stream, Wait and Start go on without any success
	// against a server that is away: 5 minutes.
	GiveUpAfter time.Duration
	// Silence is how long a stream may be without a byte, keep-alives included,
	// until it is taken for dead: 1 minute, four keep-alives.
	Silence   time.Duration
	UserAgent string
}

// Client calls one server. It may be used by many goroutines.
type Client struct {
	base  *url.URL
	token string
	o     Options
}

// New makes a Client for a server such as "http://localhost:8080". The token
// may be empty where the server is open.
func New(baseURL, token string, o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(baseURL, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("the server's URL must look like http://localhost:8080")
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: transport()}
	}
	if o.GiveUpAfter <= 0 {
		o.GiveUpAfter = 5 * time.Minute
	}
	if o.Silence <= 0 {
		o.Silence = time.Minute
	}
	if o.UserAgent == "" {
		o.UserAgent = "longhaul-client"
	}
	return &Client{base: base, token: token, o: o}, nil
}

// transport bounds what must be quick and leaves alone what may take hours.
func transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 90 * time.Second, // a long-poll answers after 60 s
		IdleConnTimeout:       50 * time.Second, // below the 60 s of common edges
		ForceAttemptHTTP2:     true,
	}
}

// call is one request.
type call struct {
	method string
	path   string // escaped
	query  url.Values
	header http.Header
	body   any // sent as JSON, or a form; nil: none
	accept string
}

// do sends c. An answer of 400 and up becomes a *Problem; else the caller
// closes the body.
func (c *Client) do(ctx context.Context, k call) (res *http.Response, err error) {
	var body io.Reader
	contentType := "application/json"
	switch b := k.body.(type) {
	case nil:
	case form:
		sending := b.send()
		body, contentType = sending.body, sending.contentType
		defer func() {
			if ferr := sending.end(); ferr != nil && err != nil {
				err = ferr // the cause of the other
			}
		}()
	default:
		data, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	target := c.base.String() + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	for name, values := range k.header {
		req.Header[name] = values
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if k.accept == "" {
		k.accept = "application/json"
	}
	req.Header.Set("Accept", k.accept)
	req.Header.Set("User-Agent", c.o.UserAgent)
	res, err = c.o.HTTP.Do(req)
	if err != nil {
		return nil, err // *url.Error: says method and URL
	}
	if res.StatusCode >= http.StatusBadRequest {
		problem := readProblem(res)
		_ = res.Body.Close() // it was only read
		return nil, problem
	}
	return res, nil
}

// maxBody bounds what a JSON answer may be: the server's largest page with room.
const maxBody = 64 << 20

// get is do for JSON answers.
func get[T any](ctx context.Context, c *Client, k call) (*T, error) {
	res, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	v := new(T)
	if err := json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(v); err != nil {
		return nil, fmt.Errorf("read the answer to %s %s: %w", k.method, k.path, err)
	}
	return v, nil
}
