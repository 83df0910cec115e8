-- Lists members of an index by instant whose instant has come, oldest first of each kind.
-- KEYS[1] the index   ARGV[1] prefix   ARGV[2] its name   ARGV[3] how many at most
local clock = redis.call('TIME')
local now = string.format('%.0f', tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000))
local most, due = tonumber(ARGV[3]), {}
local function take(key)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, most - #due)) do due[#due + 1] = id end
end
take(KEYS[1])
for from = 0, most do
  if #due >= most then break end
  local ends = redis.call('ZRANGE', ARGV[1] .. 'pgs:' .. ARGV[2], from, from)[1]
  take(ARGV[1] .. (ends and 'pg@' .. ends or 'pg') .. ':' .. ARGV[2])
  if not ends or tonumber(ends) > tonumber(now) then break end
end
return due
