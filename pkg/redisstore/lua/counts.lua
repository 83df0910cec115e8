-- Counts the members of indexes, of each both what is folded and what is not.
-- KEYS[1] any key of the partition   ARGV[1] prefix   ARGV[2...] indexes
-- Returns a number for each
local prefix, counts = ARGV[1], {}
for i = 2, #ARGV do
  local n = redis.call('ZCARD', prefix .. ARGV[i]) + redis.call('ZCARD', prefix .. 'pg:' .. ARGV[i])
  for _, ends in ipairs(redis.call('ZRANGE', prefix .. 'pgs:' .. ARGV[i], 0, -1)) do
    n = n + redis.call('ZCARD', prefix .. 'pg@' .. ends .. ':' .. ARGV[i])
  end
  counts[#counts + 1] = n
end
return counts
