package redisstore

import (
	"context"
	_ "embed"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

//go:embed lua/common.lua
var commonLua string

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

//go:embed lua/take.lua
var takeLua string

var (
	createScript     = redis.NewScript(commonLua + createLua)
	claimScript      = redis.NewScript(commonLua + claimLua)
	appendScript     = redis.NewScript(commonLua + appendLua)
	settleScript     = redis.NewScript(commonLua + settleLua)
	cancelScript     = redis.NewScript(commonLua + cancelLua)
	abandonScript    = redis.NewScript(commonLua + abandonLua)
	redispatchScript = redis.NewScript(commonLua + redispatchLua)
	purgeScript      = redis.NewScript(commonLua + purgeLua)
	sealScript       = redis.NewScript(commonLua + sealLua)
	packScript       = redis.NewScript(commonLua + packLua)
	moveScript       = redis.NewScript(commonLua + moveLua)
	renewScript      = redis.NewScript(renewLua)
	tickScript       = redis.NewScript(tickLua)
	takeScript       = redis.NewScript(takeLua)
)

// run calls a script that begins with common.lua and answers with a list of strings.
func (s *Store) run(ctx context.Context, sc *redis.Script, id execution.ID, args ...any) ([]string, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	p := s.prefixOf(id)
	argv := append([]any{p, string(id)}, args...)
	return sc.Run(ctx, s.rdb, []string{recordKey(p, id)}, argv...).StringSlice()
}
