-- Renews the leases of one worker's attempts in one partition.
-- KEYS[1] the run index   ARGV[1] prefix   ARGV[2] lease in ticks   ARGV[3...] id, token, id, token, ...
-- Returns per attempt: 1 renewed, 2 renewed and to be cancelled, 3 to be killed, 0 fenced.
local prefix = ARGV[1]
local ends = tonumber(redis.call('HGET', prefix .. 'tick', 'n') or '0') + tonumber(ARGV[2])
local answers = {}
for i = 3, #ARGV, 2 do
  local r = redis.pcall('HMGET', prefix .. 'x:' .. ARGV[i], 'status', 'token', 'cancel', 'kill') -- an error: it is folded
  local answer = 0
  if r[1] == 'running' and r[2] == ARGV[i + 1] then
    redis.call('ZADD', KEYS[1], ends, ARGV[i])
    answer = 1
    if r[3] then answer = 2 end
    if r[4] then answer = 3 end
  end
  answers[#answers + 1] = answer
end
return answers
