-- Puts the packed copy of an ended log in the place of the log, and says when it is due to move to the archive.
-- ARGV[3] last, as the packer saw it   ARGV[4] entries that it read   ARGV[5] bytes of the copy, '' when the log stays as it is
-- ARGV[6] instant (ms) of the move, '' for never   ARGV[7] the copy's key   ARGV[8] entries that were written to it
-- Returns {'ok'} | {'moved'}: the log is not what was copied
local folded = redis.call('TYPE', rec).ok == 'string' -- it has ended, and its last number is what it was
local r = folded and {ARGV[3], true} or redis.call('HMGET', rec, 'last', 'ended')
if not r[2] or r[1] ~= ARGV[3] or redis.call('XLEN', ev) ~= tonumber(ARGV[4]) then
  redis.call('UNLINK', ARGV[7])
  return {'moved'}
end
if ARGV[5] ~= '' then
  -- A copy may have ended before it was whole, where its maker was suspended.
  if redis.call('XLEN', ARGV[7]) ~= tonumber(ARGV[8]) then return {'moved'} end
  redis.call('UNLINK', ev)
  redis.call('RENAME', ARGV[7], ev)
  redis.call('PERSIST', ev)
  if not folded then redis.call('HSET', rec, 'stored', ARGV[5]) end
end
if not folded then redis.call('HSET', rec, 'packed', '1') end
if ARGV[6] == '' then
  redis.call('ZREM', prefix .. 'tidy', id)
else
  redis.call('ZADD', prefix .. 'tidy', ARGV[6], id)
end
return {'ok'}
