-- Takes an ended log out of Redis, once segments in the archive hold all of it.
-- ARGV[3] last, as the mover saw it   ARGV[4...] segments, each <first>-<last>
-- Returns {'ok'} | {'moved'}: the log is not what was read | {'gone'}: retention was faster
local folded = redis.call('TYPE', rec).ok == 'string' -- since then its log has not changed, but may be in the record
if folded then
  if redis.call('EXISTS', ev) == 0 then return {'moved'} end
else
  local r = redis.call('HMGET', rec, 'last', 'ended')
  if not r[1] then return {'gone'} end
  if not r[2] or r[1] ~= ARGV[3] then return {'moved'} end
end
-- First what a full Redis takes too: the rest of a script that has written is not refused.
redis.call('UNLINK', ev)
for i = 4, #ARGV do
  redis.call('ZADD', prefix .. 'seg:' .. id, string.match(ARGV[i], '%d+$'), ARGV[i])
end
if not folded then redis.call('HSET', rec, 'stored', '0') end
redis.call('ZREM', prefix .. 'tidy', id)
return {'ok'}
