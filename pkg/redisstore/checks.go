package redisstore

import (
	"context"
	"fmt"
	"strings"
)

// Advice is something about this Redis that an operator should change.
type Advice struct {
	Setting string // of Redis
	Message string
}

// Advise looks at the server for what puts executions at risk: an eviction
// policy that drops keys, no persistence, an old version. Managed services and
// the embedded server hide some of it; what cannot be read is not complained about.
func (s *Store) Advise(ctx context.Context) ([]Advice, error) {
	var advice []Advice
	if err := s.Ping(ctx); err != nil {
		return nil, err
	}
	if v := s.info(ctx, "server", "redis_version"); v != "" && olderThan(v, 6, 2) {
		advice = append(advice, Advice{"version", fmt.Sprintf("Redis %s is older than 6.2, the oldest that Longhaul is tested with", v)})
	}
	if p, _ := s.config(ctx, "maxmemory-policy"); p != "" && p != "noeviction" {
		advice = append(advice, Advice{"maxmemory-policy", fmt.Sprintf("is %s: Redis may drop executions when it is full; set it to noeviction", p)})
	}
	aof, _ := s.config(ctx, "appendonly")
	save, known := s.config(ctx, "save")
	if aof == "no" && save == "" && known {
		advice = append(advice, Advice{"appendonly", "Redis keeps nothing on disk: a restart loses every execution; set appendonly yes"})
	} else if aof == "no" {
		advice = append(advice, Advice{"appendonly", "is no: a crash of Redis loses what came since its last snapshot; set appendonly yes"})
	}
	return advice, nil
}

// config reads one setting; not known where the server does not tell.
func (s *Store) config(ctx context.Context, name string) (value string, known bool) {
	value, known = s.rdb.ConfigGet(ctx, name).Val()[name] // nil after an error
	return value, known
}

func (s *Store) info(ctx context.Context, section, field string) string {
	text, err := s.rdb.Info(ctx, section).Result()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func olderThan(version string, major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(version, "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a < major || a == major && b < minor
}
