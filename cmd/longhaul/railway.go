package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// railwayAPI is Railway's public GraphQL API.
const railwayAPI = "https://backboard.railway.com/graphql/v2"

// railway is one service of a Railway environment.
type railway struct {
	url         string
	token       string
	project     bool // token is a project's, which goes into a header of its own
	service     string
	environment string
	http        *http.Client
}

const (
	readReplicas = `query($service: String!, $environment: String!) {
  serviceInstance(serviceId: $service, environmentId: $environment) { numReplicas }
}`
	writeReplicas = `mutation($service: String!, $environment: String!, $input: ServiceInstanceUpdateInput!) {
  serviceInstanceUpdate(serviceId: $service, environmentId: $environment, input: $input)
}`
)

// Replicas reads how many the service has. Railway says null where nobody ever
// set a number: that is one.
func (r *railway) Replicas(ctx context.Context) (int, error) {
	var data struct {
		Instance *struct {
			Replicas *int `json:"numReplicas"`
		} `json:"serviceInstance"`
	}
	err := r.call(ctx, readReplicas, map[string]any{"service": r.service, "environment": r.environment}, &data)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the replicas: %w", err)
	case data.Instance == nil:
		return 0, errors.New("read the replicas: Railway knows no such service in this environment (--service, --environment)")
	case data.Instance.Replicas == nil:
		return 1, nil
	}
	return *data.Instance.Replicas, nil
}

// SetReplicas scales the service. Railway starts the new ones from the image
// that runs, and gives those it removes their drain time.
func (r *railway) SetReplicas(ctx context.Context, n int) error {
	var data struct {
		Done bool `json:"serviceInstanceUpdate"`
	}
	err := r.call(ctx, writeReplicas, map[string]any{
		"service": r.service, "environment": r.environment, "input": map[string]int{"numReplicas": n},
	}, &data)
	if err == nil && !data.Done {
		err = errors.New("nothing was changed, and Railway does not say why")
	}
	if err != nil {
		return fmt.Errorf("set the replicas to %d: %w", n, err)
	}
	return nil
}

// errToken says that asking again is of no use.
var errToken = errors.New("the token is not one that Railway takes for this service: RAILWAY_TOKEN must be a project token of this environment, or RAILWAY_API_TOKEN one of an account or a workspace that may change it")

// busy is an answer that names the time of the next try.
type busy struct {
	status string
	wait   time.Duration
}

func (b *busy) Error() string { return "Railway answers " + b.status }

// call sends one query. What goes wrong inside GraphQL comes with status 200.
func (r *railway) call(ctx context.Context, query string, variables map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "longhaul-autoscale")
	if r.project {
		req.Header.Set("Project-Access-Token", r.token)
	} else {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	res, err := r.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return errToken
	case res.StatusCode >= 300:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // none, or a date: our own pause will do
		return &busy{res.Status, time.Duration(seconds) * time.Second}
	case err != nil:
		return fmt.Errorf("read Railway's answer: %w", err)
	}
	return readGraphQL(answer, into)
}

func readGraphQL(answer []byte, into any) error {
	var all struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return fmt.Errorf("read Railway's answer: %w", err)
	}
	if len(all.Errors) == 0 {
		return json.Unmarshal(all.Data, into)
	}
	said := all.Errors[0].Message
	if strings.Contains(strings.ToLower(said), "not authorized") {
		return fmt.Errorf("%w (it says: %s)", errToken, said)
	}
	return errors.New("railway says: " + said)
}
