package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

type listInput struct {
	Status string   `query:"status" doc:"Only these statuses, with commas between" example:"queued,running"`
	Engine string   `query:"engine" doc:"Only this engine, or this command" example:"agent"`
	Label  []string `query:"label,explode" doc:"Only with this label: key:value or key=value; may be repeated" example:"[\"team:research\"]"`
	Since  string   `query:"since" doc:"Only those created at or after this instant, RFC 3339" example:"2025-01-07T00:00:00Z"`
	Until  string   `query:"until" doc:"Only those created before this instant, RFC 3339" example:"2025-01-08T00:00:00Z"`
	Worker string   `query:"worker" doc:"Only those whose newest attempt this worker runs or ran" example:"worker-1"`
	Text   string   `query:"q" maxLength:"200" doc:"Only with this text in id, command line, engine or labels, whatever its case. One answer looks at about 2000 executions: see scanned_to" example:"report"`
	Counts bool     `query:"counts" doc:"Also count all that are kept, by status"`
	Limit  string   `query:"limit" doc:"At most this many, 1 to 200; 50 if not given" example:"50"`
	Cursor string   `query:"cursor" doc:"next_cursor of the page before"`
}

type listOutput struct {
	Link  string `header:"Link" doc:"The next page, rel=next"`
	Cache string `header:"Cache-Control"`
	Body  api.List
}

// Lengths of a list.
const (
	defaultList = 50
	maxList     = 200
)

func (s *Server) listRoutes() {
	operation(s, bearer, huma.Operation{
		OperationID: "listExecutions", Method: http.MethodGet, Path: "/execute/list",
		Tags: []string{"executions"}, Summary: "List executions, newest first",
	}, s.list, http.StatusServiceUnavailable)
}

func (s *Server) list(ctx context.Context, in *listInput) (*listOutput, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	page, err := s.Records.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &listOutput{Cache: "no-store", Body: api.List{Executions: make([]api.Execution, 0, len(page.Records))}}
	for _, rec := range page.Records {
		e, err := s.describeRecord(ctx, rec)
		if err != nil {
			return nil, err
		}
		out.Body.Executions = append(out.Body.Executions, e)
	}
	if in.Counts {
		if out.Body.Counts, err = s.counts(ctx); err != nil {
			return nil, err
		}
	}
	if page.Short {
		out.Body.ScannedTo = &page.Next
	}
	if page.Next != "" {
		out.Body.NextCursor = &page.Next
		out.Link = "<" + in.next(page.Next) + `>; rel="next"`
	}
	return out, nil
}

func (s *Server) counts(ctx context.Context) (*api.Counts, error) {
	n, err := s.Records.Counts(ctx)
	return &api.Counts{
		Queued: n[execution.Queued], Running: n[execution.Running],
		Completed: n[execution.Completed], Failed: n[execution.Failed], Timeout: n[execution.Timeout],
		Cancelled: n[execution.Cancelled], Error: n[execution.Errored],
	}, err
}

func (in *listInput) query() (q execution.ListQuery, err error) {
	var problems []error
	q.Engine, q.Worker, q.Text, q.Cursor = in.Engine, in.Worker, in.Text, in.Cursor
	if q.Limit, err = number("limit", in.Limit, 1, maxList, defaultList); err != nil {
		problems = append(problems, err)
	}
	for word := range strings.FieldsFuncSeq(in.Status, func(r rune) bool { return r == ',' || r == ' ' }) {
		status := execution.Status(word)
		if !status.Valid() {
			problems = append(problems, execution.InvalidField("status", "must be of queued, running, completed, failed, timeout, cancelled, error, with commas between"))
		}
		q.Status = append(q.Status, status)
	}
	if q.Since, err = instant("since", in.Since); err != nil {
		problems = append(problems, err)
	}
	if q.Until, err = instant("until", in.Until); err != nil {
		problems = append(problems, err)
	}
	for _, label := range in.Label {
		i := strings.IndexAny(label, ":=")
		if i < 1 {
			problems = append(problems, execution.InvalidField("label", "must be key:value or key=value"))
			continue
		}
		if _, ok := q.Labels[label[:i]]; ok {
			problems = append(problems, execution.InvalidField("label", "names one label twice, and no execution has two values of it"))
		}
		if q.Labels == nil {
			q.Labels = map[string]string{}
		}
		q.Labels[label[:i]] = label[i+1:]
	}
	return q, mergeInvalid(problems...)
}

// instant reads an instant from a query; the zero time where there is none.
func instant(name, value string) (t time.Time, err error) {
	if value == "" {
		return t, nil
	}
	if t, err = time.Parse(time.RFC3339, value); err != nil {
		return t, execution.InvalidField(name, "must be an instant such as 2025-01-07T19:11:13Z (RFC 3339)")
	}
	return t, nil
}

// next is the path of the next page: the same filters with another cursor.
func (in *listInput) next(cursor string) string {
	v := url.Values{"cursor": {cursor}, "label": in.Label}
	for name, value := range map[string]string{"status": in.Status, "engine": in.Engine, "since": in.Since, "until": in.Until, "worker": in.Worker, "q": in.Text, "limit": in.Limit} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return "/execute/list?" + v.Encode()
}
