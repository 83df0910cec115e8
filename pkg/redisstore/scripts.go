package redisstore

import (
	"context"
	_ "embed"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

//go:embed lua/common.lua
var commonLua string

//go:embed lua/pages.lua
var pagesLua string

//go:embed lua/fold.lua
var foldLua string

//go:embed lua/walk.lua
var walkLua string

//go:embed lua/due.lua
var dueLua string

//go:embed lua/create.lua
var createLua string

//go:embed lua/claim.lua
var claimLua string

//go:embed lua/append.lua
var appendLua string

//go:embed lua/settle.lua
var settleLua string

//go:embed lua/cancel.lua
var cancelLua string

//go:embed lua/abandon.lua
var abandonLua string

//go:embed lua/redispatch.lua
var redispatchLua string

//go:embed lua/purge.lua
var purgeLua string

//go:embed lua/seal.lua
var sealLua string

//go:embed lua/pack.lua
var packLua string

//go:embed lua/move.lua
var moveLua string

//go:embed lua/renew.lua
var renewLua string

//go:embed lua/tick.lua
var tickLua string

//go:embed lua/stats.lua
var statsLua string

//go:embed lua/counts.lua
var countsLua string

//go:embed lua/take.lua
var takeLua string

var (
	claimScript      = redis.NewScript(commonLua + claimLua)
	appendScript     = redis.NewScript(commonLua + appendLua)
	settleScript     = redis.NewScript(commonLua + settleLua)
	cancelScript     = redis.NewScript(commonLua + cancelLua)
	abandonScript    = redis.NewScript(commonLua + abandonLua)
	redispatchScript = redis.NewScript(commonLua + redispatchLua)
	purgeScript      = redis.NewScript(commonLua + pagesLua + purgeLua)
	foldScript       = redis.NewScript(commonLua + pagesLua + foldLua)
	sealScript       = redis.NewScript(commonLua + sealLua)
	packScript       = redis.NewScript(commonLua + packLua)
	moveScript       = redis.NewScript(commonLua + moveLua)
	renewScript      = redis.NewScript(renewLua)
	tickScript       = redis.NewScript(tickLua)
	statsScript      = redis.NewScript(statsLua)
	takeScript       = redis.NewScript(takeLua)
	walkScript       = redis.NewScript(walkLua)
	dueScript        = redis.NewScript(dueLua)
	countsScript     = redis.NewScript(countsLua)
)

// creates are create.lua with each script that puts in line what it has created: one or two of them.
type creates struct{ scripts sync.Map } // *redis.Script by the other's text

func (c *creates) with(line string) *redis.Script {
	if sc, ok := c.scripts.Load(line); ok {
		return sc.(*redis.Script)
	}
	sc, _ := c.scripts.LoadOrStore(line, redis.NewScript(commonLua+"local function line(KEYS, ARGV)\n"+line+"\nend\n"+createLua))
	return sc.(*redis.Script)
}

// run calls a script that begins with common.lua and answers with a list of strings.
func (s *Store) run(ctx context.Context, sc *redis.Script, id execution.ID, args ...any) ([]string, error) {
	return s.runWith(ctx, sc, id, nil, args...)
}

// runWith is run with more keys.
func (s *Store) runWith(ctx context.Context, sc *redis.Script, id execution.ID, keys []string, args ...any) ([]string, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	p := s.prefixOf(id)
	argv := append([]any{p, string(id)}, args...)
	res, err := sc.Run(ctx, s.rdb, append([]string{recordKey(p, id)}, keys...), argv...).StringSlice()
	if isFolded(err) {
		return nil, errFolded
	}
	return res, err
}

// call is one call of a script.
type call struct {
	keys []string
	args []any
}

// runAll calls one script many times in one round trip. Each answer has an error of its own.
func (s *Store) runAll(ctx context.Context, sc *redis.Script, calls []call) []*redis.Cmd {
	answers := make([]*redis.Cmd, len(calls))
	pipe := s.rdb.Pipeline()
	for i, c := range calls {
		answers[i] = sc.EvalSha(ctx, pipe, c.keys, c.args...)
	}
	_, _ = pipe.Exec(ctx) // the answers have it
	for i, a := range answers {
		// Redis is new, or another one. Each asks for himself: in a cluster, calls
		// are for several nodes, and what one has learned the next may not know.
		if redis.HasErrorPrefix(a.Err(), "NOSCRIPT") {
			answers[i] = sc.Run(ctx, s.rdb, calls[i].keys, calls[i].args...)
		}
	}
	return answers
}
