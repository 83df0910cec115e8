-- Stores one batch of an attempt's events and numbers them.
-- ARGV[3] token   ARGV[4] batch number   ARGV[5] events in it   ARGV[6] encoding   ARGV[7] data
-- ARGV[8] bytes of output in it   ARGV[9] newest progress or ''
-- Returns {'ok', last number} | {'fenced', status or ''}
local r = redis.call('HMGET', rec, 'status', 'token', 'batch', 'last')
if r[1] ~= 'running' or r[2] ~= ARGV[3] then return {'fenced', r[1] or ''} end
if tonumber(ARGV[4]) <= tonumber(r[3]) then return {'ok', r[4]} end
local last = int(tonumber(r[4]) + tonumber(ARGV[5]))
redis.call('HSET', rec, 'last', last, 'batch', ARGV[4])
if ARGV[8] ~= '0' then redis.call('HINCRBY', rec, 'bytes', ARGV[8]) end
if ARGV[9] ~= '' then redis.call('HSET', rec, 'progress', ARGV[9]) end
redis.call('XADD', ev, last .. '-0', 'n', ARGV[5], 'enc', ARGV[6], 'data', ARGV[7])
redis.call('PUBLISH', 'lh:bell:' .. id, last)
return {'ok', last}
