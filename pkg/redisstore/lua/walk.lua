-- Lists the newest members of indexes, of each both what is folded and what is not.
-- KEYS[1] any key of the partition   ARGV[1] prefix   ARGV[2] highest and ARGV[3] lowest score
-- ARGV[4] how many of each at most, besides those of the highest score: the caller may have seen any of these
-- ARGV[5...] indexes
-- Returns lists of member, score, member, score, ... of what is not folded, and the same of what is
local prefix, high, low, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local plain, paged = {}, {}
local function take(into, key, n)
  local got = redis.call('ZREVRANGEBYSCORE', key, high, low, 'WITHSCORES', 'LIMIT', 0, n)
  if #got > 0 and tonumber(got[2]) == tonumber(high) then
    n = n + redis.call('ZCOUNT', key, high, high)
    got = redis.call('ZREVRANGEBYSCORE', key, high, low, 'WITHSCORES', 'LIMIT', 0, n)
  end
  if #got > 0 then into[#into + 1] = got end -- as it is: this is what takes the time
  return n - #got / 2
end
for i = 5, #ARGV do
  take(plain, prefix .. ARGV[i], most)
  local newest, pages = prefix .. 'pg:' .. ARGV[i], prefix .. 'pgs:' .. ARGV[i]
  local left = redis.call('EXISTS', newest, pages) > 0 and take(paged, newest, most) or 0
  -- From the page on that high is in.
  local ends = left > 0 and (redis.call('ZRANGEBYSCORE', pages, high, '+inf', 'LIMIT', 0, 1)[1] or redis.call('ZREVRANGE', pages, 0, 0)[1])
  while ends and left > 0 do
    left = take(paged, prefix .. 'pg@' .. ends .. ':' .. ARGV[i], left)
    if low ~= '-inf' and tonumber(ends) < tonumber(low) then break end
    ends = redis.call('ZREVRANGEBYSCORE', pages, '(' .. ends, '-inf', 'LIMIT', 0, 1)[1]
  end
end
return {plain, paged}
