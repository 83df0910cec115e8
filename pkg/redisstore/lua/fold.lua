-- Puts one string in the place of the record of an ended execution, and of its log if that is in it.
-- ARGV[3] the string, '' where the record stays as it is   ARGV[4] last and ARGV[5] entries of the log, as the folder saw them
-- ARGV[6] '1': the string holds the log   ARGV[7] created   ARGV[8...] its indexes
-- Returns {'ok'} | {'moved'}: it is not what was read | {'gone'}: somebody else has folded it, or retention was faster
local due = redis.call('ZSCORE', prefix .. 'done', id)
if not due then return {'gone'} end
if ARGV[3] ~= '' then
  if redis.call('TYPE', rec).ok ~= 'hash' then return {'moved'} end
  local r = redis.call('HMGET', rec, 'last', 'ended', 'status', 'created')
  if not r[2] or r[1] ~= ARGV[4] or r[4] ~= ARGV[7] or redis.call('XLEN', ev) ~= tonumber(ARGV[5]) then return {'moved'} end
  if ARGV[6] == '1' and redis.call('EXISTS', prefix .. 'seg:' .. id) == 1 then return {'moved'} end
end
-- First what a full Redis takes too: the rest of a script that has written is not refused.
redis.call('ZREM', prefix .. 'done', id)
if ARGV[3] ~= '' then
  for i = 8, #ARGV do redis.call('ZREM', prefix .. ARGV[i], id) end
  if ARGV[6] == '1' then
    redis.call('UNLINK', ev)
    redis.call('ZREM', prefix .. 'tidy', id)
  end
  redis.call('SET', rec, ARGV[3])
  for i = 8, #ARGV do put(ARGV[i], ARGV[7], id) end
end
put('done', due, id)
return {'ok'}
