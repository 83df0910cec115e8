package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// Start starts an execution in the background. A lost answer is asked for
// again under one idempotency key, so that nothing is started twice; an empty
// key is replaced by a random one.
func (c *Client) Start(ctx context.Context, req api.StartRequest, idempotencyKey string) (*api.Started, error) {
	return c.start(ctx, "/execute/start", req, idempotencyKey)
}

// Rerun starts an execution again, with the fields of change in place of the old
// ones. It is repeated as Start is.
func (c *Client) Rerun(ctx context.Context, id execution.ID, change api.StartRequest, idempotencyKey string) (*api.Started, error) {
	return c.start(ctx, pathOf("rerun", id), change, idempotencyKey)
}

// Spec is the body that would start an execution again, with *** for what may be secret.
func (c *Client) Spec(ctx context.Context, id execution.ID) (*api.StartRequest, error) {
	return get[api.StartRequest](ctx, c, call{method: http.MethodGet, path: pathOf("spec", id)})
}

func (c *Client) start(ctx context.Context, path string, body any, idempotencyKey string) (*api.Started, error) {
	if idempotencyKey == "" {
		idempotencyKey = rand.Text()
	}
	tries := backoff{giveUp: c.o.GiveUpAfter}
	for {
		started, err := get[api.Started](ctx, c, call{
			method: http.MethodPost, path: path, body: body,
			header: http.Header{"Idempotency-Key": {idempotencyKey}},
		})
		// A full queue and a full store are for the caller to know at once.
		if err == nil || isFull(err) {
			return started, err
		}
		if err := tries.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

func isFull(err error) bool {
	code := execution.CodeOf(err)
	return code == execution.QueueFull || code == execution.StorageFull
}

// Status asks where an execution stands.
func (c *Client) Status(ctx context.Context, id execution.ID) (*api.Execution, error) {
	return get[api.Execution](ctx, c, call{method: http.MethodGet, path: pathOf("status", id)})
}

// Wait blocks until the execution has ended, over any number of long-polls.
func (c *Client) Wait(ctx context.Context, id execution.ID) (*api.Execution, error) {
	tries := backoff{giveUp: c.o.GiveUpAfter}
	for {
		e, err := get[api.Execution](ctx, c, call{method: http.MethodGet, path: pathOf("status", id), query: url.Values{"wait": {"60s"}}})
		switch {
		case err == nil && e.Status.Terminal():
			return e, nil
		case err == nil:
			tries.reset()
			// A server that drains answers at once: do not ask in a tight loop.
			err = sleep(ctx, firstPause)
		default:
			err = tries.wait(ctx, err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// OutputQuery selects a page of output. Zero fields do not filter.
type OutputQuery struct {
	After  execution.Cursor
	Limit  int
	Stream string // "stdout" or "stderr"
	Types  []execution.EventType
	Tail   int       // begin so many lines before the end
	Since  time.Time // of then or later
}

// Output reads one page of events, with the result and the artifacts.
func (c *Client) Output(ctx context.Context, id execution.ID, q OutputQuery) (*api.Output, error) {
	query := url.Values{"after": {q.After.String()}}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Stream != "" {
		query.Set("stream", q.Stream)
	}
	selectLog(query, q.Types, q.Tail, q.Since)
	return get[api.Output](ctx, c, call{method: http.MethodGet, path: pathOf("output", id), query: query})
}

// selectLog puts into a query where in a log to begin, and with which events.
func selectLog(query url.Values, types []execution.EventType, tail int, since time.Time) {
	if len(types) > 0 {
		query.Set("types", join(types))
	}
	if tail > 0 {
		query.Set("tail", strconv.Itoa(tail))
	}
	if !since.IsZero() {
		query.Set("since", since.UTC().Format(execution.TimeFormat))
	}
}

// join lists words as a query takes them.
func join[T ~string](words []T) string {
	all := make([]string, 0, len(words))
	for _, w := range words {
		all = append(all, string(w))
	}
	return strings.Join(all, ",")
}

// TextQuery selects of the log as text.
type TextQuery struct {
	Follow bool   // go on until the end
	Tail   int    // begin so many lines before the end
	Stream string // "stdout" or "stderr"
	Since  time.Time
	Times  bool // each line begins with its time
}

// OutputText copies the byte-exact log to w. An error says that it is not whole.
func (c *Client) OutputText(ctx context.Context, id execution.ID, w io.Writer, q TextQuery) (int64, error) {
	query := url.Values{"format": {"text"}}
	if q.Follow {
		query.Set("follow", "true")
	}
	if q.Stream != "" {
		query.Set("stream", q.Stream)
	}
	if q.Times {
		query.Set("timestamps", "true")
	}
	selectLog(query, nil, q.Tail, q.Since)
	return c.copy(ctx, w, call{method: http.MethodGet, path: pathOf("output", id), query: query, accept: "text/plain"})
}

func (c *Client) copy(ctx context.Context, w io.Writer, k call) (int64, error) {
	res, err := c.do(ctx, k)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	n, err := io.Copy(w, res.Body)
	if err != nil {
		return n, fmt.Errorf("%s broke off after %d bytes: %w", k.path, n, err)
	}
	return n, nil
}

// ListQuery selects executions. Zero fields do not filter.
type ListQuery struct {
	Status []execution.Status
	Engine string
	Labels map[string]string
	Since  time.Time // created at or after
	Until  time.Time // created before
	Worker string
	Text   string // in id, command line, engine or labels
	Counts bool   // also count all that are kept
	Limit  int
	Cursor string // NextCursor of the page before
}

// List reads one page of executions, newest first.
func (c *Client) List(ctx context.Context, q ListQuery) (*api.List, error) {
	query := url.Values{}
	for name, value := range map[string]string{"status": join(q.Status), "engine": q.Engine, "worker": q.Worker, "q": q.Text, "cursor": q.Cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, t := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !t.IsZero() {
			query.Set(name, t.UTC().Format(execution.TimeFormat))
		}
	}
	if q.Counts {
		query.Set("counts", "true")
	}
	for key, value := range q.Labels {
		query.Add("label", key+"="+value)
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	return get[api.List](ctx, c, call{method: http.MethodGet, path: "/execute/list", query: query})
}

// Cancel stops an execution and waits up to wait (60 s at most) for the proof
// that nothing of it is left. One that had ended otherwise is a *Problem of code
// conflict with its ExecutionStatus.
func (c *Client) Cancel(ctx context.Context, id execution.ID, wait time.Duration) (*api.Cancelled, error) {
	return c.cancel(ctx, id, wait, url.Values{})
}

// Kill is Cancel without the engine's grace, also for one that is being cancelled.
func (c *Client) Kill(ctx context.Context, id execution.ID, wait time.Duration) (*api.Cancelled, error) {
	return c.cancel(ctx, id, wait, url.Values{"force": {"true"}})
}

func (c *Client) cancel(ctx context.Context, id execution.ID, wait time.Duration, query url.Values) (*api.Cancelled, error) {
	if wait > 0 {
		query.Set("wait", wait.String())
	}
	return get[api.Cancelled](ctx, c, call{method: http.MethodPost, path: pathOf("cancel", id), query: query})
}

// Artifacts lists the files that an execution left.
func (c *Client) Artifacts(ctx context.Context, id execution.ID) (*api.Artifacts, error) {
	return get[api.Artifacts](ctx, c, call{method: http.MethodGet, path: "/outputs/" + url.PathEscape(string(id))})
}

// Download copies one of them to w.
func (c *Client) Download(ctx context.Context, id execution.ID, path string, w io.Writer) (int64, error) {
	if path == "" {
		return 0, errors.New("the path of the artifact is empty")
	}
	escaped := (&url.URL{Path: "/outputs/" + string(id) + "/" + path}).EscapedPath()
	return c.copy(ctx, w, call{method: http.MethodGet, path: escaped, accept: "*/*"})
}

// Engines lists what the catalog lets callers start.
func (c *Client) Engines(ctx context.Context) (*api.Engines, error) {
	return get[api.Engines](ctx, c, call{method: http.MethodGet, path: "/engines"})
}

// Workers lists who runs executions, and what.
func (c *Client) Workers(ctx context.Context) (*api.Workers, error) {
	return get[api.Workers](ctx, c, call{method: http.MethodGet, path: "/workers"})
}

// QueueQuery says what the workers to be scaled are. Zero fields take the server's defaults.
type QueueQuery struct {
	Queues   []string // that they take from
	Slots    int      // their MAX_CONCURRENT
	Min, Max int      // replicas
}

// QueueStats counts what waits and runs, and how many workers that wants.
func (c *Client) QueueStats(ctx context.Context, q QueueQuery) (*api.QueueStats, error) {
	query := url.Values{}
	for name, n := range map[string]int{"slots": q.Slots, "min": q.Min, "max": q.Max} {
		if n > 0 {
			query.Set(name, strconv.Itoa(n))
		}
	}
	if len(q.Queues) > 0 {
		query.Set("queue", strings.Join(q.Queues, ","))
	}
	return get[api.QueueStats](ctx, c, call{method: http.MethodGet, path: "/queue/stats", query: query})
}

func pathOf(what string, id execution.ID) string {
	return "/execute/" + what + "/" + url.PathEscape(string(id))
}
