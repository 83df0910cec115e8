package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// one tries a delivery and tells the queue what became of it.
func (d *Deliverer) one(ctx context.Context, one *Delivery) error {
	status, after, err := d.send(ctx, one)
	if ctx.Err() != nil {
		return nil // we stop: neither a success nor the receiver's failure
	}
	log := d.log.With("execution_id", ExecutionOf(one.ID), "tries", one.Attempt, "status", status)
	switch {
	case err == nil:
		log.Info("webhook delivered")
		return d.queue.Done(ctx, one.ID, true, status, "")
	case status == http.StatusGone: // the receiver's way of saying never again
		log.Info("webhook refused for good")
		return d.queue.Done(ctx, one.ID, false, status, err.Error())
	case one.Attempt >= len(schedule):
		log.Warn("webhook given up", "error", err)
		return d.queue.Done(ctx, one.ID, false, status, err.Error())
	}
	wait := max(schedule[max(one.Attempt, 1)], after)
	log.Info("webhook failed, to be tried again", "error", err, "wait", wait)
	return d.queue.Retry(ctx, one.ID, d.now().Add(wait), status, err.Error())
}

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = time.Hour

// send makes one try. status is 0 where nobody answered; after is what the
// receiver asked us to wait.
func (d *Deliverer) send(ctx context.Context, one *Delivery) (status int, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, one.URL, bytes.NewReader(one.Body))
	if err != nil {
		return 0, 0, errors.New("the URL is not valid")
	}
	if err := d.sign(req, one); err != nil {
		return 0, 0, err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, whose query may hold a token
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", tryTimeout)
		}
		return 0, 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // what it says does not matter
	switch resp.StatusCode / 100 {
	case 2:
		return resp.StatusCode, 0, nil
	case 3:
		return resp.StatusCode, 0, fmt.Errorf("answered %d, and redirects are not followed: set webhook_url to the final address", resp.StatusCode)
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		after = min(time.Duration(min(seconds, int(maxRetryAfter/time.Second)))*time.Second, maxRetryAfter)
	}
	return resp.StatusCode, after, fmt.Errorf("answered %d", resp.StatusCode)
}

// sign signs afresh for every try: the time is part of it, and receivers
// refuse what is older than five minutes.
func (d *Deliverer) sign(req *http.Request, one *Delivery) error {
	now := d.now()
	signatures := make([]string, len(d.signers))
	for i, s := range d.signers {
		signature, err := s.Sign(one.ID, now, one.Body)
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		signatures[i] = signature
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Longhaul-Webhook/1")
	req.Header.Set(standardwebhooks.HeaderWebhookID, one.ID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
