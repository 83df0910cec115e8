-- Counts what waits and what runs in one partition.
-- KEYS[1] the run index   ARGV[1] prefix   ARGV[2] '1' = count what runs by queue too, which reads each of their records
-- ARGV[3] retention ms   ARGV[4] ms to look back for what has ended, with ARGV[2] only   ARGV[5...] queues
-- Returns {running, ms that the ended ones are of, then for each queue: depth, delayed, ms that the first has waited, running or 0, ended or 0}
local prefix = ARGV[1]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local running = {}
if ARGV[2] == '1' then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local q = redis.call('HGET', prefix .. 'x:' .. id, 'queue')
    if q then running[q] = (running[q] or 0) + 1 end
  end
end
-- What has run and ended lately: all of it counted, and of which queue, by the newest 200.
local ended, sampled, lately, span = {}, 0, 0, 0
if ARGV[2] == '1' then
  -- By when they expire. What ended long ago under a longer retention is beyond that.
  local done, to = prefix .. 'done', string.format('%.0f', now + tonumber(ARGV[3]))
  local from = string.format('%.0f', tonumber(to) - tonumber(ARGV[4]))
  local first = redis.call('ZRANGEBYSCORE', done, from, to, 'WITHSCORES', 'LIMIT', 0, 1)[2]
  if first then
    span, lately = tonumber(to) - tonumber(first), redis.call('ZCOUNT', done, from, to)
    for _, id in ipairs(redis.call('ZREVRANGEBYSCORE', done, to, from, 'LIMIT', 0, 200)) do
      local r = redis.pcall('HMGET', prefix .. 'x:' .. id, 'queue', 'started')
      sampled = sampled + 1
      if r[1] and r[2] then ended[r[1]] = (ended[r[1]] or 0) + 1 end
    end
  end
end
local answer = {redis.call('ZCARD', KEYS[1]), span}
for i = 5, #ARGV do
  local key = prefix .. 'q:' .. ARGV[i]
  local depth = redis.call('ZCOUNT', key, '-inf', string.format('(%.0f', now + 1))
  local waited = 0
  if depth > 0 then
    waited = math.max(0, now - math.floor(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]))
  end
  answer[#answer + 1] = depth
  answer[#answer + 1] = redis.call('ZCARD', key) - depth
  answer[#answer + 1] = waited
  answer[#answer + 1] = running[ARGV[i]] or 0
  answer[#answer + 1] = sampled > 0 and math.floor(lately * (ended[ARGV[i]] or 0) / sampled + 0.5) or 0
end
return answer
