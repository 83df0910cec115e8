-- Moves the logical clock of leases on, once a second at the most, whoever asks, and says what there is to look after.
-- KEYS[1] tick   KEYS[2] run   KEYS[3] late   KEYS[4...] the lines   ARGV[1] '1': whatever the second, the caller has moved the first partition's
-- Returns {1 if this call moved it else 0, the tick, whether something runs, waits with a limit to that, waits: 1 or 0 each}
-- A clock of Redis' that jumped back must not stop it, hence math.abs. A little
-- less than a second, or a lone reaper with a timer of one second would come too
-- early every other time.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local r = redis.call('HMGET', KEYS[1], 'at', 'n')
local n = tonumber(r[2] or '0')
if ARGV[1] ~= '1' and r[1] and math.abs(now - tonumber(r[1])) < 900 then return {0, n, 0, 0, 0} end
redis.call('HSET', KEYS[1], 'at', string.format('%.0f', now), 'n', string.format('%.0f', n + 1))
-- One question where nothing is to be done, which is most of the time.
if redis.call('EXISTS', unpack(KEYS, 2)) == 0 then return {1, n + 1, 0, 0, 0} end
local lines = math.min(1, redis.call('EXISTS', unpack(KEYS, 4)))
return {1, n + 1, redis.call('EXISTS', KEYS[2]), redis.call('EXISTS', KEYS[3]), lines}
