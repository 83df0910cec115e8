-- Takes a part of a running log's middle out of Redis, once a segment in the archive holds it.
-- ARGV[3] token   ARGV[4] first and ARGV[5] last event of the segment
-- Returns {'ok'} | {'fenced'} | {'gone'}: there is no such execution any more
if redis.call('TYPE', rec).ok == 'string' then return {'fenced'} end -- folded
local r = redis.call('HMGET', rec, 'status', 'token', 'cut')
if not r[1] then return {'gone'} end
if r[1] ~= 'running' or r[2] ~= ARGV[3] then return {'fenced'} end
-- append.lua may have dropped a part of it meanwhile, or all: the segment has it.
local cut = math.max(tonumber(r[3]), tonumber(ARGV[5]))
local freed = 0
for _, entry in ipairs(redis.call('XRANGE', ev, ARGV[4] .. '-0', ARGV[5] .. '-0')) do
  redis.call('XDEL', ev, entry[1])
  if entry[2][4] ~= 'j' then freed = freed + #entry[2][6] end -- append.lua does not count these
end
redis.call('HSET', rec, 'cut', int(cut))
if freed > 0 then redis.call('HINCRBY', rec, 'stored', -freed) end
redis.call('ZADD', prefix .. 'seg:' .. id, ARGV[5], ARGV[4] .. '-' .. ARGV[5])
return {'ok'}
