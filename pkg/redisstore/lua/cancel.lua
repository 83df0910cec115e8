-- Asks for the end of an execution. A queued one is ended here and now; a
-- running one gets a stored request, which its worker hears by channel or with
-- its next renewal.
-- ARGV[3] outcome JSON   ARGV[4] data of the end event   ARGV[5] retention ms   ARGV[6] the channel, lh:kill for no grace
-- Returns {'settled'|'requested'|'ended'|'gone', status, dispatch}
local r = redis.call('HMGET', rec, 'status', 'dispatch', 'cancel')
if not r[1] then return {'gone'} end
if r[1] == 'queued' then
  redis.call('HSET', rec, 'cancel', int(now))
  finish('queued', 'cancelled', ARGV[3], ARGV[4], '', ARGV[5], '')
  return {'settled', 'cancelled', r[2]}
end
if r[1] == 'running' then
  if not r[3] then redis.call('HSET', rec, 'cancel', int(now)) end
  redis.call('PUBLISH', 'lh:cancel', id)
  if ARGV[6] == 'lh:kill' then
    redis.call('HSET', rec, 'kill', '1')
    redis.call('PUBLISH', ARGV[6], id)
  end
  return {'requested', 'running', r[2]}
end
return {'ended', r[1], r[2]}
