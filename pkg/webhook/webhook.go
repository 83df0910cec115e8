// Package webhook owns telling others how an execution ended: signed by the
// Standard Webhooks rules, tried again for hours, and never sent into the
// private network. The deliveries that are due are the Queue's. Run starts at
// most Options.Parallel goroutines and waits for them before it returns.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Delivery is one message to one receiver.
type Delivery struct {
	ID      string // the same for every try: receivers drop what they have seen
	URL     string
	Body    []byte
	Attempt int // this try's number, from 1
}

// Queue keeps the deliveries until they are done.
type Queue interface {
	// Due takes at most limit deliveries whose time has come and leases them
	// for a minute: whoever dies with one loses it to the next.
	Due(ctx context.Context, now time.Time, limit int) ([]Delivery, error)
	// Done ends a delivery, delivered or given up. status is 0 where nobody answered.
	Done(ctx context.Context, id string, ok bool, status int, errText string) error
	// Retry makes it due again at the given time, with the next Attempt.
	Retry(ctx context.Context, id string, at time.Time, status int, errText string) error
}

// schedule is the wait before each try. It is the one that Standard Webhooks
// suggests, which gives a receiver most of a day to come back.
var schedule = []time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
}

const (
	tryTimeout = 15 * time.Second // below the lease of a minute, so nobody else tries at the same time
	pollEvery  = time.Second
	maxAnswer  = 4 << 10 // read so that the connection can be used again, then thrown away
)

// Options of a Deliverer. Only Secret is needed.
type Options struct {
	Secret        string         // WEBHOOK_SECRET; several, separated by spaces or commas, all sign
	AllowNetworks []netip.Prefix // WEBHOOK_ALLOW_NETWORKS
	Transport     http.RoundTripper
	Now           func() time.Time
	Logger        *slog.Logger
	Parallel      int // tries at once; 8 by default
}

// Deliverer sends what is due.
type Deliverer struct {
	queue    Queue
	client   *http.Client
	signers  []*standardwebhooks.Webhook
	now      func() time.Time
	log      *slog.Logger
	parallel int
}

// New makes a Deliverer. Options.Transport replaces the guarded one, for tests.
func New(q Queue, o Options) (*Deliverer, error) {
	d := &Deliverer{queue: q, now: o.Now, log: o.Logger, parallel: o.Parallel}
	for _, secret := range strings.FieldsFunc(o.Secret, func(r rune) bool { return r == ' ' || r == ',' }) {
		s, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return nil, errors.New("WEBHOOK_SECRET must be whsec_ and base64") // err would repeat some of it
		}
		d.signers = append(d.signers, s)
	}
	if len(d.signers) == 0 {
		return nil, errors.New("WEBHOOK_SECRET is missing: webhooks are always signed")
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.parallel <= 0 {
		d.parallel = 8
	}
	transport := o.Transport
	if transport == nil {
		transport = guarded(o.AllowNetworks)
	}
	d.client = &http.Client{
		Transport: transport,
		// A redirect would lead past Check, and turn a POST into a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return d, nil
}

// Run delivers until ctx ends. A try that is under way then is given up without
// a word to the queue, whose lease runs out: it is made again elsewhere.
func (d *Deliverer) Run(ctx context.Context) {
	defer d.client.CloseIdleConnections()
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	quiet := false // one line for an outage, not one a second
	for {
		n, err := d.Deliver(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !quiet {
			d.log.Warn("webhooks wait, since their queue cannot be read", "error", err)
		}
		quiet = err != nil
		if n >= d.parallel {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Deliver makes one round: it takes what is due, tries each once, and waits for
// all. It reports how many there were.
func (d *Deliverer) Deliver(ctx context.Context) (int, error) {
	due, err := d.queue.Due(ctx, d.now(), d.parallel)
	if err != nil {
		return 0, fmt.Errorf("read due webhooks: %w", err)
	}
	var wait sync.WaitGroup
	for _, one := range due {
		wait.Go(func() {
			if err := d.one(ctx, &one); err != nil && ctx.Err() == nil {
				d.log.Warn("webhook's outcome could not be stored; it will be sent again", "execution_id", ExecutionOf(one.ID), "error", err)
			}
		})
	}
	wait.Wait()
	return len(due), nil
}
