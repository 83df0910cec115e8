package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// Problem is an answer of 400 and up. Unwrap gives an *execution.Error, so
// that execution.CodeOf works on it as it does on the server's side.
type Problem struct {
	api.Problem
	RetryAfter time.Duration // 0: the server did not say
}

// Error implements error.
func (p *Problem) Error() string { return p.Problem.Error() }

// Unwrap puts the problem into the vocabulary of package execution.
func (p *Problem) Unwrap() error {
	code := p.Code
	switch code {
	case api.CodeMalformed, api.CodeMediaType, api.CodeMethod, api.CodeRangeFailed:
		code = execution.Invalid
	case api.CodeSlowBody:
		code = execution.Unavailable
	}
	return &execution.Error{Code: code, Message: p.Detail, Fields: p.Errors}
}

// maxProblem is more than any problem needs.
const maxProblem = 256 << 10

// readProblem reads the body as a problem, or makes one of what a proxy on the
// way has answered.
func readProblem(res *http.Response) *Problem {
	p := &Problem{RetryAfter: retryAfter(res.Header.Get("Retry-After"))}
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxProblem)) // what came will do
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind == "application/problem+json" && json.Unmarshal(body, &p.Problem) == nil && p.Code != "" {
		p.Status = res.StatusCode
		return p
	}
	p.Problem = api.Problem{
		Type: "about:blank", Title: http.StatusText(res.StatusCode), Status: res.StatusCode,
		Code:   codeOf(res.StatusCode),
		Detail: fmt.Sprintf("the server, or a proxy before it, answered %d %s", res.StatusCode, http.StatusText(res.StatusCode)),
	}
	if res.Request != nil {
		p.Instance = res.Request.URL.Path
	}
	return p
}

// codeOf guesses the code where the body has none.
func codeOf(status int) execution.Code {
	switch status {
	case http.StatusUnauthorized:
		return execution.Unauthorized
	case http.StatusForbidden:
		return execution.Forbidden
	case http.StatusNotFound:
		return execution.NotFound
	case http.StatusConflict:
		return execution.Conflict
	case http.StatusRequestEntityTooLarge:
		return execution.TooLarge
	case http.StatusTooManyRequests:
		return execution.QueueFull
	}
	if status >= http.StatusInternalServerError {
		return execution.Unavailable
	}
	return execution.Invalid
}

// retryAfter reads seconds; the other form, a date, nobody here sends.
func retryAfter(value string) time.Duration {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// passes says whether the same request may succeed later: the network failed,
// or the server has trouble of its own.
func passes(err error) bool {
	if errors.As(err, new(*FileError)) {
		return false
	}
	p, ok := errors.AsType[*Problem](err)
	return !ok || p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests || p.Status == http.StatusRequestTimeout
}
