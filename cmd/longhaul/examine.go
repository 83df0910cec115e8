package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/app"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

func (d *doctor) address(context.Context) (err error) {
	if d.to, err = dial(d.t); err != nil {
		d.say("address", bad, "set LONGHAUL_URL, or run longhaul login", "%v", err)
		return errNoFurther
	}
	if strings.HasPrefix(d.t.URL, "http://") && !isLocal(d.t.URL) && d.t.Token != "" {
		d.say("address", unknown, "use https:// where others could listen", "%s from %s: the token goes over the network unencrypted", d.t.URL, d.t.urlFrom)
		return nil
	}
	d.say("address", fine, "", "%s from %s", d.t.URL, d.t.urlFrom)
	return nil
}

func isLocal(url string) bool {
	_, host, _ := strings.Cut(url, "://")
	return strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "[::1]")
}

// health also compares the clocks, by the answer's date.
func (d *doctor) health(ctx context.Context) error {
	began := time.Now()
	res, err := fetch(ctx, d.t, "/health", false)
	if err != nil {
		d.say("server", bad, "is it running, and is this its address? longhaul dev starts one here", "no answer: %v", reason(err))
		return errNoFurther
	}
	took := time.Since(began)
	defer res.Body.Close()
	var h api.Health
	if body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)); res.StatusCode != http.StatusOK || json.Unmarshal(body, &h) != nil || h.Status != "ok" {
		d.say("server", bad, "something else answers there: check the address, and what proxies do with /health", "%s/health answers %s, and not as Longhaul does", d.t.URL, res.Status)
		return errNoFurther
	}
	d.say("server", fine, "", "answers in %s", took.Round(time.Millisecond))
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil { // of whole seconds
		d.skew, d.skewing = date.Add(time.Second/2).Sub(began.Add(took/2)), true
	}
	return nil
}

// mostSkew is what --since and ages can bear.
const mostSkew = 5 * time.Second

func (d *doctor) clock(context.Context) error {
	switch {
	case !d.skewing:
		d.say("clock", unknown, "", "the server does not say what time it is")
	case d.skew.Abs() > mostSkew:
		d.say("clock", bad, "set the clock of whichever is wrong (NTP): ages and --since go by it", "the server's is %s %s ours", span(d.skew.Abs()), map[bool]string{true: "before", false: "behind"}[d.skew > 0])
	default:
		d.say("clock", fine, "", "the server's is ours to the second")
	}
	return nil
}

func (d *doctor) version(ctx context.Context) error {
	res, err := fetch(ctx, d.t, "/version", true)
	if err != nil {
		d.say("version", unknown, "", "%v", reason(err))
		return nil
	}
	defer res.Body.Close()
	var v api.Version
	if json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&v) != nil || v.Version == "" {
		d.say("version", unknown, "", "the server does not say it (%s)", res.Status)
		return nil
	}
	if v.Version != app.Version() {
		d.say("version", unknown, "fine unless something is missing: then take the same of both", "the server is %s, this is %s", v.Version, app.Version())
		return nil
	}
	d.say("version", fine, "", "%s, as this", v.Version)
	return nil
}

func (d *doctor) token(ctx context.Context) error {
	engines, err := d.to.Engines(ctx)
	switch {
	case execution.CodeOf(err) == execution.Unauthorized:
		d.say("token", bad, "set LONGHAUL_TOKEN to one of the server's API_TOKENS, or run longhaul login", "the one from %s is not taken", d.t.tokenFrom)
		return errNoFurther
	case err != nil:
		d.say("token", bad, "", "it could not be tried: %v", err)
	case d.t.Token == "":
		d.say("token", fine, "", "none is needed; %d engines and commands", len(engines.Engines))
	default:
		d.say("token", fine, "", "the one from %s is taken; %d engines and commands", d.t.tokenFrom, len(engines.Engines))
	}
	return nil
}

// ready tells of each thing that the server needs.
func (d *doctor) ready(ctx context.Context) error {
	res, err := fetch(ctx, d.t, "/ready", true)
	if err != nil {
		d.say("ready", bad, "", "%v", reason(err))
		return nil
	}
	defer res.Body.Close()
	var r api.Ready
	if json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&r) != nil {
		d.say("ready", unknown, "what do proxies do with /ready?", "the answer is %s and no JSON", res.Status)
		return nil
	}
	for _, c := range r.Checks {
		if c.OK {
			d.say(c.Name, fine, "", "the server reaches it")
			continue
		}
		d.say(c.Name, bad, "mend what it names; the server goes on by itself then", "%s", c.Detail)
	}
	return nil
}

func (d *doctor) workers(ctx context.Context) error {
	list, err := d.to.Workers(ctx)
	if err != nil {
		d.say("workers", unknown, "", "%v", err)
		return nil
	}
	slots, ready := 0, 0
	for _, w := range list.Workers {
		if !w.Draining && time.Since(w.LastSeenAt.Time)+d.skew < silentFor {
			slots, ready = slots+w.Slots, ready+1
		}
	}
	if ready == 0 {
		d.say("workers", bad, "start one (bin/worker) with the same REDIS_URL: until then what is started waits in line", "none is ready")
		return nil
	}
	d.say("workers", fine, "", "%d ready, %d slots", ready, slots)
	return nil
}

// soon is how long a stream may take for what is there already. A proxy that
// holds answers back until they are whole gives nothing for as long as it runs.
const soon = 5 * time.Second

// streams follows something that runs, since a stream that ends says nothing of
// proxies that hold up those that do not.
func (d *doctor) streams(ctx context.Context) error {
	page, err := d.to.List(ctx, client.ListQuery{Status: []execution.Status{execution.Running, execution.Queued}, Limit: 1})
	if err != nil || len(page.Executions) == 0 {
		d.say("streams", unknown, "start something that runs for a while, and run doctor again", "nothing runs, so it was not tried whether a proxy holds streams up")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	began := time.Now()
	for _, err := range d.to.Stream(ctx, page.Executions[0].ID, 0) {
		if err != nil {
			d.say("streams", bad, "a proxy on the way holds responses back: turn its buffering off (nginx: proxy_buffering off) and any compression of text/event-stream", "the stream of a running execution gave nothing in %s", soon)
			return nil
		}
		d.say("streams", fine, "", "the first event came after %s", time.Since(began).Round(time.Millisecond))
		return nil
	}
	d.say("streams", unknown, "", "the execution ended meanwhile")
	return nil
}
