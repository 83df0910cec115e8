-- Takes what is due from an index by instant, for a while, so that two replicas do not do the same thing at once.
-- KEYS[1] the index   ARGV[1] limit   ARGV[2] ms to hold them
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[1], id) -- a full Redis takes this, and then the rest
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), id)
end
return ids
