-- Paged indexes: what has been folded is in sorted sets of at most 120 members each, which Redis
-- keeps without a table of pointers (up to zset-max-listpack-entries, 128): 50 bytes a member, not 130.
--   <prefix>pg:<index>         the newest page
--   <prefix>pg@<end>:<index>   an earlier one: what is above the end of the page before it, up to its own
--   <prefix>pgs:<index>        the ends of all but the newest
local function page(index, score)
  local ends = redis.call('ZRANGEBYSCORE', prefix .. 'pgs:' .. index, score, '+inf', 'LIMIT', 0, 1)[1]
  if ends then return prefix .. 'pg@' .. ends .. ':' .. index, ends end
  return prefix .. 'pg:' .. index
end

local function put(index, score, member)
  local key = page(index, score)
  redis.call('ZADD', key, score, member)
  local n = redis.call('ZCARD', key)
  if n <= 120 then return end
  -- The older part becomes a page. What has the same score stays together.
  local ends = redis.call('ZRANGE', key, 95, 95, 'WITHSCORES')[2]
  local older = redis.call('ZRANGEBYSCORE', key, '-inf', ends, 'WITHSCORES')
  if #older / 2 == n or #older > 1000 then return end
  for i = 1, #older, 2 do older[i], older[i + 1] = older[i + 1], older[i] end
  redis.call('ZADD', prefix .. 'pg@' .. ends .. ':' .. index, unpack(older))
  redis.call('ZREMRANGEBYSCORE', key, '-inf', ends)
  redis.call('ZADD', prefix .. 'pgs:' .. index, ends, ends)
end

local function takeOut(index, score, member)
  local key, ends = page(index, score)
  redis.call('ZREM', key, member)
  if ends and redis.call('EXISTS', key) == 0 then redis.call('ZREM', prefix .. 'pgs:' .. index, ends) end
end

-- whenDue gives the score of a member of an index by instant, if it is in a page that has anything due.
local function whenDue(index, member)
  local from = 0
  while true do
    local ends = redis.call('ZRANGE', prefix .. 'pgs:' .. index, from, from)[1]
    local key = prefix .. (ends and 'pg@' .. ends or 'pg') .. ':' .. index
    local score = redis.call('ZSCORE', key, member)
    if score or not ends or tonumber(ends) > now then return score end
    from = from + 1
  end
end
