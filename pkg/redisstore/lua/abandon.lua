-- Ends a queued execution that can never run, or waited too long.
-- ARGV[3] status   ARGV[4] outcome JSON   ARGV[5] data of the end event   ARGV[6] retention ms
-- Returns {'ok'} | {'refused', status or ''}
local status = redis.call('HGET', rec, 'status')
if status ~= 'queued' then return {'refused', status or ''} end
finish('queued', ARGV[3], ARGV[4], ARGV[5], '', ARGV[6], '')
return {'ok'}
