-- Takes a part of a running log's middle out of Redis, once a segment in the archive holds it.
-- ARGV[3] token   ARGV[4] cut, as the sealer saw it   ARGV[5] first and ARGV[6] last event of the segment
-- Returns {'ok'} | {'moved'}: the middle has changed meanwhile, look again | {'fenced'}
local r = redis.call('HMGET', rec, 'status', 'token', 'cut')
if r[1] ~= 'running' or r[2] ~= ARGV[3] then return {'fenced'} end
if r[3] ~= ARGV[4] then return {'moved'} end
local freed = 0
for _, entry in ipairs(redis.call('XRANGE', ev, ARGV[5] .. '-0', ARGV[6] .. '-0')) do
  redis.call('XDEL', ev, entry[1])
  if entry[2][4] ~= 'j' then freed = freed + #entry[2][6] end -- append.lua does not count these
end
redis.call('HSET', rec, 'cut', ARGV[6])
redis.call('HINCRBY', rec, 'stored', -freed)
redis.call('ZADD', prefix .. 'seg:' .. id, ARGV[6], ARGV[5] .. '-' .. ARGV[6])
return {'ok'}
