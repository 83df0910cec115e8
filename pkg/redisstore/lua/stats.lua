-- Counts what waits and what runs in one partition.
-- KEYS[1] the run index   ARGV[1] prefix   ARGV[2] '1' = count what runs by queue too, which reads each of their records
-- ARGV[3...] queues
-- Returns {running, then for each queue: depth, delayed, ms that the first has waited, running or 0}
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
local answer = {redis.call('ZCARD', KEYS[1])}
for i = 3, #ARGV do
  local key = prefix .. 'q:' .. ARGV[i]
  local depth = redis.call('ZCOUNT', key, '-inf', string.format('%.0f', now))
  local waited = 0
  if depth > 0 then
    waited = math.max(0, now - tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]))
  end
  answer[#answer + 1] = depth
  answer[#answer + 1] = redis.call('ZCARD', key) - depth
  answer[#answer + 1] = waited
  answer[#answer + 1] = running[ARGV[i]] or 0
end
return answer
