-- Moves the logical clock of leases on, once a second at the most, whoever asks.
-- KEYS[1] tick   Returns {1 if this call moved it else 0, the tick}
-- A clock of Redis' that jumped back must not stop it, hence math.abs. A little
-- less than a second, or a lone reaper with a timer of one second would come too
-- early every other time.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local r = redis.call('HMGET', KEYS[1], 'at', 'n')
if r[1] and math.abs(now - tonumber(r[1])) < 900 then return {0, tonumber(r[2])} end
redis.call('HSET', KEYS[1], 'at', string.format('%.0f', now))
return {1, redis.call('HINCRBY', KEYS[1], 'n', 1)}
