// Package container tests the images themselves, in a network of containers with
// Redis, as they are deployed. It needs Docker and the images of "make images";
// without them each test says loudly that it is skipped, or fails where
// LONGHAUL_REQUIRE_DOCKER is set.
package container

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dockercontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/longhaul/longhaul/pkg/api"
	longhaul "github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

const (
	token    = "a-token-of-the-container-tests"
	password = "the-password-of-redis"
	// noticed is the promise for a lost worker, and something for a busy machine.
	noticed = 20*time.Second + 10*time.Second
	// patience is no promise: it only bounds what would never end.
	patience = 2 * time.Minute
)

// docker gives the engine's client, or skips.
func docker(t *testing.T) *testcontainers.DockerClient {
	t.Helper()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil || provider.Health(t.Context()) != nil {
		rig.Missing(t, "LONGHAUL_REQUIRE_DOCKER", "Docker does not answer (DOCKER_HOST)")
	}
	cli := provider.Client()
	for _, image := range []string{"longhaul-api", "longhaul-worker", "longhaul-monitoring"} {
		if _, err := cli.ImageInspect(t.Context(), image); err != nil {
			rig.Missing(t, "LONGHAUL_REQUIRE_DOCKER", "there is no image "+image+": make images")
		}
	}
	d, ok := cli.(*testcontainers.DockerClient)
	if !ok {
		t.Fatalf("the client is a %T", cli)
	}
	t.Cleanup(func() { _ = provider.Close() })
	return d
}

// system is one network with Redis, one API and workers, each in a container.
type system struct {
	t      *testing.T
	docker *testcontainers.DockerClient
	net    *testcontainers.DockerNetwork
	redis  testcontainers.Container
	api    testcontainers.Container
	client *longhaul.Client
	url    string

	images   map[string]string // instead of the two-line Dockerfiles on top of them
	redisURL string
}

// asTheyAre are our images with the catalog that they bring.
var asTheyAre = map[string]string{"api": "longhaul-api", "worker": "longhaul-worker"}

func newSystem(t *testing.T) *system { return newSystemOf(t, nil) }

func newSystemOf(t *testing.T, images map[string]string) *system {
	t.Helper()
	s := &system{t: t, docker: docker(t), images: images, redisURL: "redis://default:" + password + "@redis:6379/0"}
	var err error
	s.net, err = network.New(t.Context())
	testcontainers.CleanupNetwork(t, s.net)
	if err != nil {
		t.Fatal(err)
	}
	s.startRedis()
	s.startAPI()
	return s
}

func (s *system) startRedis() {
	s.t.Helper()
	s.redis = s.run(redisImage(), wait.ForLog("Ready to accept connections").WithStartupTimeout(time.Minute),
		network.WithNetwork([]string{"redis"}, s.net),
		testcontainers.WithCmd("redis-server", "--appendonly", "yes", "--maxmemory-policy", "noeviction", "--requirepass", password))
}

func (s *system) startAPI(more ...testcontainers.ContainerCustomizer) {
	s.t.Helper()
	s.startAPIWhen(wait.ForHTTP("/ready").WithPort("8080/tcp").WithStartupTimeout(time.Minute), more...)
}

func (s *system) startAPIWhen(ready wait.Strategy, more ...testcontainers.ContainerCustomizer) {
	s.t.Helper()
	s.api = s.run(s.images["api"], ready, append([]testcontainers.ContainerCustomizer{
		s.own("api"), network.WithNetwork([]string{"api"}, s.net), locked(),
		testcontainers.WithExposedPorts("8080/tcp"),
		testcontainers.WithEnv(map[string]string{"REDIS_URL": s.redisURL, "API_TOKENS": token}),
	}, more...)...)
	var err error
	if s.url, err = s.api.PortEndpoint(s.t.Context(), "8080/tcp", "http"); err != nil {
		s.t.Fatal(err)
	}
	if s.client, err = longhaul.New(s.url, token, longhaul.Options{}); err != nil {
		s.t.Fatal(err)
	}
}

func redisImage() string {
	if v := os.Getenv("REDIS_IMAGE"); v != "" {
		return v
	}
	return "redis:7.4-alpine"
}

// own builds the user's two-line Dockerfile on top of our image.
func (s *system) own(service string) testcontainers.CustomizeRequestOption {
	if s.images != nil {
		return func(*testcontainers.GenericContainerRequest) error { return nil }
	}
	return testcontainers.WithDockerfile(testcontainers.FromDockerfile{
		Context: filepath.Join("testdata", "own"), Dockerfile: "Dockerfile." + service,
		Repo: "longhaul-test-own-" + service, Tag: "latest", KeepImage: true,
	})
}

// locked is how deploy/kubernetes and docker-compose.yml run the images.
func locked() testcontainers.CustomizeRequestOption {
	return testcontainers.WithHostConfigModifier(func(h *dockercontainer.HostConfig) {
		h.ReadonlyRootfs = true
		h.CapDrop = []string{"ALL"}
		h.SecurityOpt = []string{"no-new-privileges:true"}
		h.Tmpfs = map[string]string{"/tmp": "size=64m"}
	})
}

func (s *system) run(image string, ready wait.Strategy, o ...testcontainers.ContainerCustomizer) testcontainers.Container {
	s.t.Helper()
	c, err := testcontainers.Run(s.t.Context(), image, append(o, testcontainers.WithWaitStrategy(ready))...)
	testcontainers.CleanupContainer(s.t, c)
	if err != nil {
		s.t.Fatalf("start %s: %v\n%s", image, err, logs(c))
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("log of a container of %s:\n%s", image, logs(c))
		}
	})
	return c
}

// worker starts one more; settings are NAME=value.
func (s *system) worker(name string, settings ...string) testcontainers.Container {
	s.t.Helper()
	return s.workerWith(name, nil, settings...)
}

func (s *system) workerWith(name string, more []testcontainers.ContainerCustomizer, settings ...string) testcontainers.Container {
	s.t.Helper()
	env := map[string]string{"REDIS_URL": s.redisURL, "WORKER_NAME": name}
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		env[key] = value
	}
	o := append([]testcontainers.ContainerCustomizer{
		s.own("worker"), network.WithNetwork([]string{name}, s.net), locked(),
		testcontainers.WithHostConfigModifier(func(h *dockercontainer.HostConfig) { h.Tmpfs["/work"] = "size=256m,uid=65532" }),
		testcontainers.WithEnv(env),
	}, more...)
	return s.run(s.images["worker"], wait.ForLog("worker started").WithStartupTimeout(time.Minute), o...)
}

func logs(c testcontainers.Container) string {
	if c == nil {
		return ""
	}
	r, err := c.Logs(context.Background()) // the test's own context is over when this is asked for
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	data, _ := io.ReadAll(r)
	return string(data)
}

// start starts an execution of engine with params, JSON.
func (s *system) start(engine, params, onInterrupt string) execution.ID {
	s.t.Helper()
	req := api.StartRequest{Engine: engine, OnInterrupt: onInterrupt}
	if params != "" {
		req.Params = []byte(params)
	}
	if onInterrupt == "requeue" {
		req.MaxAttempts = 3
	}
	return s.accept(req)
}

func (s *system) startCommand(command string, args ...string) execution.ID {
	s.t.Helper()
	return s.accept(api.StartRequest{Command: command, Args: args})
}

func (s *system) accept(req api.StartRequest) execution.ID {
	s.t.Helper()
	started, err := s.client.Start(s.t.Context(), req, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return started.ID
}

// prints waits until the log has the line.
func (s *system) prints(id execution.ID, line string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var text strings.Builder
	for e, err := range s.client.Stream(ctx, id, 0) {
		if err != nil {
			s.t.Fatalf("%s does not print %q: %v; it printed %s", id, line, err, text.String())
		}
		text.Write(e.Data)
		if strings.Contains(text.String(), line) {
			return
		}
	}
	s.t.Fatalf("%s ended before it printed %q: %s", id, line, text.String())
}

// ends waits for the end, and wants it to be this one.
func (s *system) ends(id execution.ID, within time.Duration, status execution.Status, reason execution.Reason) *api.Execution {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	e, err := s.client.Wait(ctx, id)
	if err != nil {
		s.t.Fatalf("%s has not ended within %v: %v", id, within, err)
	}
	if e.Status != status || e.Reason == nil || *e.Reason != reason {
		s.t.Fatalf("%s ended as %s %v (%v), want %s %s", id, e.Status, value(e.Reason), value(e.ErrorMessage), status, reason)
	}
	return e
}

// lines wants the log of id to be "line 1" to "line n", each once and in order.
func (s *system) lines(id execution.ID, n int) {
	s.t.Helper()
	var want strings.Builder
	got := s.text(id)
	for i := range n {
		fmt.Fprintf(&want, "line %d\n", i+1)
	}
	if got != want.String() {
		s.t.Errorf("the log of %s is\n%s", id, got)
	}
}

// text is what id printed.
func (s *system) text(id execution.ID) string {
	s.t.Helper()
	var text strings.Builder
	if _, err := s.client.OutputText(s.t.Context(), id, &text, longhaul.TextQuery{}); err != nil {
		s.t.Fatal(err)
	}
	return text.String()
}

func (s *system) kill(c testcontainers.Container, signal string) {
	s.t.Helper()
	if _, err := s.docker.ContainerKill(s.t.Context(), c.GetContainerID(), client.ContainerKillOptions{Signal: signal}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) pause(c testcontainers.Container) {
	s.t.Helper()
	if _, err := s.docker.ContainerPause(s.t.Context(), c.GetContainerID(), client.ContainerPauseOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) unpause(c testcontainers.Container) {
	s.t.Helper()
	if _, err := s.docker.ContainerUnpause(s.t.Context(), c.GetContainerID(), client.ContainerUnpauseOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// cut takes c out of the network until the returned function is called.
func (s *system) cut(c testcontainers.Container) (mend func()) {
	s.t.Helper()
	if _, err := s.docker.NetworkDisconnect(s.t.Context(), s.net.ID, client.NetworkDisconnectOptions{Container: c.GetContainerID()}); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		if _, err := s.docker.NetworkConnect(s.t.Context(), s.net.ID, client.NetworkConnectOptions{Container: c.GetContainerID()}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// read is what a command in a container printed.
func read(t *testing.T, r io.Reader) string {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// pass lets a fault last.
func pass(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// exited waits for the container's end and gives its exit code.
func (s *system) exited(c testcontainers.Container, within time.Duration) int {
	s.t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); pass(s.t, 100*time.Millisecond) {
		if state, err := c.State(s.t.Context()); err == nil && !state.Running {
			return state.ExitCode
		}
	}
	s.t.Fatalf("the container runs after %v", within)
	return 0
}

func (s *system) ready() int {
	res, err := http.Get(s.url + "/ready")
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
