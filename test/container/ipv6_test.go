package container

import (
	"net/netip"
	"testing"
	"time"

	dockercontainer "github.com/moby/moby/api/types/container"
	dockernetwork "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Railway's older environments have AAAA records only: Redis and the API are
// found and reached over IPv6, with the URL that everyone else uses too.
func TestAllGoesOverIPv6WhereAPrivateNetworkHasNothingElse(t *testing.T) {
	const redis6 = "fd00:10c6:4a01::10"
	s := &system{t: t, docker: docker(t), redisURL: "redis://default:" + password + "@redis.railway.internal:6379/0"}
	var err error
	s.net, err = network.New(t.Context(), network.WithEnableIPv6(), network.WithIPAM(&dockernetwork.IPAM{
		Config: []dockernetwork.IPAMConfig{{Subnet: netip.MustParsePrefix("fd00:10c6:4a01::/64")}},
	}))
	testcontainers.CleanupNetwork(t, s.net)
	if err != nil {
		t.Fatal(err)
	}
	s.redis = s.run(redisImage(), wait.ForLog("Ready to accept connections").WithStartupTimeout(time.Minute),
		network.WithNetwork([]string{"redis"}, s.net),
		testcontainers.WithEndpointSettingsModifier(func(e map[string]*dockernetwork.EndpointSettings) {
			for _, settings := range e {
				settings.IPAMConfig = &dockernetwork.EndpointIPAMConfig{IPv6Address: netip.MustParseAddr(redis6)}
			}
		}),
		testcontainers.WithCmd("redis-server", "--bind", "::", "--requirepass", password))
	named := testcontainers.WithHostConfigModifier(func(h *dockercontainer.HostConfig) {
		h.ExtraHosts = append(h.ExtraHosts, "redis.railway.internal:"+redis6)
	})
	s.startAPI(named)
	w := s.workerWith("worker-1", []testcontainers.ContainerCustomizer{named})
	id := s.start("tick", `{"lines": 5}`, "")
	s.ends(id, patience, execution.Completed, execution.ReasonExited)
	s.lines(id, 5)

	// The other way round: a neighbour reaches the API and the worker's probes at their IPv6 addresses.
	for c, port := range map[testcontainers.Container]string{s.api: "8080", w: "8081"} {
		i, err := c.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		address := i.NetworkSettings.Networks[s.net.Name].GlobalIPv6Address
		if !address.Is6() {
			t.Fatalf("no IPv6 address: %v", address)
		}
		code, _, err := w.Exec(t.Context(), []string{"python3", "-c", "import urllib.request as u; u.urlopen('http://[" + address.String() + "]:" + port + "/health', timeout=5)"})
		if err != nil || code != 0 {
			t.Errorf("nobody answers at [%v]:%s: %d %v", address, port, code, err)
		}
	}
}

// A platform's probe must get an answer before Redis does: the listener comes first.
func TestTheAPIAnswersBeforeRedisDoes(t *testing.T) {
	s := &system{t: t, docker: docker(t), redisURL: "redis://default:" + password + "@redis:6379/0"}
	var err error
	s.net, err = network.New(t.Context())
	testcontainers.CleanupNetwork(t, s.net)
	if err != nil {
		t.Fatal(err)
	}
	s.startAPIWhen(wait.ForHTTP("/health").WithPort("8080/tcp").WithStartupTimeout(time.Minute))
	if code := s.ready(); code != 503 {
		t.Errorf("/ready answers %d without Redis", code)
	}
	s.startRedis()
	for end := time.Now().Add(patience); s.ready() != 200; pass(t, 200*time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not find Redis, which came later")
		}
	}
}
