-- Ends an attempt: the execution becomes terminal, or goes back in line.
-- ARGV[3] token   ARGV[4] status ('queued' = back in line)   ARGV[5] outcome JSON   ARGV[6] data of the event
-- ARGV[7] result JSON or ''   ARGV[8] retention ms   ARGV[9] '1': only if the lease has run out
-- ARGV[10] ms to wait before the next attempt   ARGV[11], ARGV[12] outcome and data of the end event should it
--   have been cancelled meanwhile, in which case it does not go back in line
-- Returns {'ok', dispatch, 0 where it did not go back in line} | {'fenced', status or ''} | {'alive'}
local r = redis.call('HMGET', rec, 'status', 'token', 'created', 'queue', 'attempt', 'dispatch', 'settled', 'started', 'past', 'cancel', 'last')
if not r[1] then return {'fenced', ''} end
-- The same settle again, after a lost reply.
if r[7] == ARGV[3] then return {'ok', r[1] == 'queued' and r[6] or '0'} end
if r[1] ~= 'running' or r[2] ~= ARGV[3] then return {'fenced', r[1]} end
if ARGV[9] == '1' then
  local ends = redis.call('ZSCORE', prefix .. 'run', id)
  if ends and tonumber(ends) > tick() then return {'alive'} end
end
if ARGV[4] == 'queued' and r[10] then
  finish('running', 'cancelled', ARGV[11], ARGV[12], ARGV[7], ARGV[8], ARGV[3])
  return {'ok', '0'}
end
if ARGV[4] ~= 'queued' then
  finish('running', ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[3])
  return {'ok', '0'}
end
local past = '{"started":' .. (r[8] or '0') .. ',"ended":' .. int(now) .. ',"outcome":' .. ARGV[5] .. '}'
if r[9] then past = r[9] .. ',' .. past end
local eligible = int(now + tonumber(ARGV[10]))
local dispatch = int(tonumber(r[6]) + 1)
redis.call('HSET', rec, 'status', 'queued', 'settled', ARGV[3], 'past', past, 'eligible', eligible,
  'dispatch', dispatch, 'token', '', 'last', after(r[11]))
redis.call('HDEL', rec, 'started', 'metrics')
redis.call('ZREM', prefix .. 'run', id)
wait(r[4], eligible)
move('running', 'queued', r[3])
emit(after(r[11]), 'status', r[5], ARGV[6])
return {'ok', dispatch}
