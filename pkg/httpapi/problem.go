package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/labstack/echo/v4"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// huma keeps these in package variables. This package is its only user, so they
// are set once for all Servers, which share nothing through them.
func init() {
	huma.NewError = func(int, string, ...error) huma.StatusError { return &api.Problem{} } // for its type alone
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p, header := problemOf(ctx.Context(), humaError(ctx, status, msg, errs))
		for name, value := range header {
			ctx.SetHeader(name, value)
		}
		return p
	}
	validation.MsgUnexpectedProperty = "is no field of this request"
	validation.MsgExpectedString = "must be a string"
	validation.MsgExpectedArray = "must be a list"
	validation.MsgExpectedObject = "must be an object"
	validation.MsgExpectedInteger = "must be a whole number"
	validation.MsgExpectedNumber = "must be a number"
	validation.MsgExpectedBoolean = "must be true or false"
	validation.MsgExpectedMaxLength = "must have at most %d characters"
	validation.MsgExpectedOneOf = "must be one of \"%s\""
}

// humaError puts what huma found into our vocabulary. It keeps messages and
// places but never values: huma adds the value to each error, for an unknown
// field even the whole body with its secrets.
func humaError(ctx huma.Context, status int, msg string, errs []error) error {
	if len(errs) == 1 {
		if _, ok := errors.AsType[*huma.ErrorDetail](errs[0]); !ok {
			return errs[0] // a handler's own error
		}
	}
	e := &execution.Error{Code: codeOfStatus(status)}
	switch e.Code {
	case execution.Invalid:
		e.Message, e.Fields = "the request is not valid", fields(errs)
	case execution.TooLarge:
		e.Message = fmt.Sprintf("the body is larger than %d bytes (the setting MAX_REQUEST_BYTES)", ctx.Operation().MaxBodyBytes-1)
	case api.CodeMalformed:
		e.Message = "the body is missing or is not JSON"
		if len(errs) > 0 {
			if d, ok := errors.AsType[*huma.ErrorDetail](errs[0]); ok {
				e.Message = "the body is not JSON: " + d.Message
			}
		}
	case execution.Internal:
		e.Err = errors.Join(append(errs, errors.New(msg))...)
	}
	return e
}

// fields drops the values of huma's details, and the "body." that says nothing.
// unmarshalError is what encoding/json says of a value that passed the schema and
// does not fit its field. It holds the value, so nothing of it may go out but
// the names of the field and its type.
var unmarshalError = regexp.MustCompile(`^json: cannot unmarshal .* into Go struct field [A-Za-z]+\.([a-z_.]+) of type ([a-z0-9]+)$`)

func fields(errs []error) []execution.Field {
	list := make([]execution.Field, 0, len(errs))
	for _, err := range errs {
		d, ok := errors.AsType[*huma.ErrorDetail](err)
		if !ok {
			continue
		}
		at := d.Location
		for _, prefix := range []string{"body.", "query.", "path.", "header."} {
			at = strings.TrimPrefix(at, prefix)
		}
		if m := unmarshalError.FindStringSubmatch(d.Message); m != nil {
			at, d.Message = m[1], "does not have the right type"
			if strings.HasPrefix(m[2], "int") {
				d.Message = "must be a whole number, of at most 15 digits"
			}
		}
		if at == "args" || strings.HasPrefix(at, "args[") {
			d.Message += ": args is a list of strings, one for each argument"
		}
		list = append(list, execution.Field{Location: at, Message: d.Message})
	}
	slices.SortStableFunc(list, func(a, b execution.Field) int { return cmp.Compare(a.Location, b.Location) })
	return list
}

// problemOf makes the body and the headers for err, and logs a defect of ours.
func problemOf(ctx context.Context, err error) (*api.Problem, map[string]string) {
	if p, ok := errors.AsType[*api.Problem](err); ok {
		return p, nil // made by describe already
	}
	r := requestOf(ctx)
	p := describe(r, err)
	if p.Code == execution.Internal && ctx.Err() == nil {
		r.server.Logger.ErrorContext(ctx, "internal error", "error", err, "path", r.path, "request_id", r.id)
	}
	header := map[string]string{}
	if k := kinds[p.Code]; k.retry != "" {
		header["Retry-After"] = k.retry
	}
	if p.Code == execution.Unauthorized {
		header["WWW-Authenticate"] = `Bearer realm="longhaul"`
	}
	return p, header
}

// describe fills a problem from err and the table of kinds.
func describe(r *request, err error) *api.Problem {
	e, ok := errors.AsType[*execution.Error](err)
	if !ok {
		e = &execution.Error{Code: execution.Internal, Err: err}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, errDraining) {
			e = execution.Errorf(execution.Unavailable, "the request was not finished in time: try again")
		}
	}
	k, ok := kinds[e.Code]
	if !ok {
		e, k = &execution.Error{Code: execution.Internal, Err: err}, kinds[execution.Internal]
	}
	p := &api.Problem{
		Type: "/problems/" + string(e.Code), Title: k.title, Status: k.status, Code: e.Code,
		Detail: cmp.Or(e.Message, k.explain), Errors: e.Fields, Instance: r.escaped, RequestID: r.id,
	}
	if e.Code == execution.NotFound && strings.HasPrefix(r.path, "/execute/") && !strings.Contains(p.Detail, "RETENTION") {
		p.Detail += fmt.Sprintf(" (executions are kept for %s after they have ended: the setting RETENTION)", days(r.server.Retention))
	}
	return p
}

// handleError answers what echo itself refuses (404, 405, 413) and panics.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return // a stream that began can only end
	}
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		e := &execution.Error{Code: codeOfStatus(he.Code), Err: err}
		switch e.Code {
		case execution.NotFound:
			e.Message = "there is no such route: GET /openapi.json lists all"
		case api.CodeMethod:
			e.Message = "this route does not take " + safeMethod(c.Request().Method)
		}
		err = e
	}
	p, header := problemOf(c.Request().Context(), err)
	for name, value := range header {
		c.Response().Header().Set(name, value)
	}
	writeProblem(c.Response(), p)
}

// safeMethod never repeats a method that somebody made up.
func safeMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "this method"
}

func writeProblem(w http.ResponseWriter, p *api.Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone if this fails
}
