package container

import (
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Redis and what speaks as it does, in the versions that people have.
var redisVersions = []string{"redis:6.2-alpine", "redis:7.4-alpine", "redis:8.2-alpine", "valkey/valkey:8-alpine"}

func TestEveryVersionOfRedisCarriesAnExecution(t *testing.T) {
	d := docker(t)
	for _, image := range redisVersions {
		t.Run(strings.ReplaceAll(image, "/", "_"), func(t *testing.T) {
			if _, err := d.ImageInspect(t.Context(), image); err != nil {
				t.Skipf("SKIPPED, NOT PASSED: %s is not here (docker pull %s)", image, image)
			}
			t.Setenv("REDIS_IMAGE", image)
			s := newSystem(t)
			s.worker("worker-1")
			id := s.start("tick", `{"lines": 20, "pause_ms": 10}`, "")
			s.ends(id, patience, execution.Completed, execution.ReasonExited)
			s.lines(id, 20)
			_, out, err := s.redis.Exec(t.Context(), []string{"sh", "-c", "REDISCLI_AUTH=" + password + " redis-cli info server"})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("the server says %s", versionOf(read(t, out)))
		})
	}
}

// versionOf is what the server itself says, which a tag does not always.
func versionOf(info string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); ok {
			return v
		}
	}
	return "nothing"
}
