-- Stores one batch of an attempt's events and numbers them.
-- ARGV[3] token   ARGV[4] batch number   ARGV[5] events in it   ARGV[6] encoding   ARGV[7] data
-- ARGV[8] bytes of output in it   ARGV[9] newest progress or ''   ARGV[10] budget: stored bytes of one execution
-- ARGV[11] newest metrics or ''
-- Returns {'ok', bytes of the log in Redis; 0 when this batch was there already} | {'fenced', status or ''}
local r = redis.call('HMGET', rec, 'status', 'token', 'batch', 'last', 'cut')
if r[1] ~= 'running' or r[2] ~= ARGV[3] then return {'fenced', r[1] or ''} end
if tonumber(ARGV[4]) <= tonumber(r[3]) then return {'ok', '0'} end
local last = int(tonumber(r[4]) + tonumber(ARGV[5]))
redis.call('HSET', rec, 'last', last, 'batch', ARGV[4])
if ARGV[8] ~= '0' then redis.call('HINCRBY', rec, 'bytes', ARGV[8]) end
if ARGV[9] ~= '' then redis.call('HSET', rec, 'progress', ARGV[9]) end
if ARGV[11] ~= '' then redis.call('HSET', rec, 'metrics', ARGV[11]) end
redis.call('XADD', ev, last .. '-0', 'n', ARGV[5], 'enc', ARGV[6], 'data', ARGV[7])

-- The first quarter of the budget is the head and stays. Beyond the budget the
-- oldest batches after it go; a reader finds the hole and is told of it by a gap.
-- Where there is an archive, seal.lua has made room before it comes to that.
local budget, stored = tonumber(ARGV[10]), redis.call('HINCRBY', rec, 'stored', #ARGV[7])
if not r[5] and stored > budget / 4 then
  redis.call('HSET', rec, 'cut', last)
elseif stored > budget then
  local cut, freed = r[5], 0
  for _, entry in ipairs(redis.call('XRANGE', ev, int(tonumber(cut) + 1) .. '-0', '+', 'COUNT', 16)) do
    local number = string.match(entry[1], '^%d+')
    if stored - freed <= budget or number == last then break end
    cut = number
    if entry[2][4] ~= 'j' then -- Longhaul's own events are few and always kept
      redis.call('XDEL', ev, entry[1])
      freed = freed + #entry[2][6]
    end
  end
  redis.call('HSET', rec, 'cut', cut)
  if freed > 0 then stored = redis.call('HINCRBY', rec, 'stored', -freed) end
end
-- A small batch goes with its bell: whoever follows closely need not ask for it (bells.go).
local bell = last
if ARGV[6] == 'b' and #ARGV[7] < 1024 then bell = last .. ' ' .. ARGV[5] .. ' ' .. ARGV[7] end
redis.call('PUBLISH', 'lh:bell:' .. id, bell)
return {'ok', int(stored)}
