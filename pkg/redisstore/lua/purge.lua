-- Takes an ended execution out of Redis when its retention is over.
-- ARGV[3] name   ARGV[4...] labels as k=v
-- Returns 1 when it was taken out, 0 when its time has not come.
local due = redis.call('ZSCORE', prefix .. 'done', id)
if due and tonumber(due) > now then return 0 end
local status = redis.call('HGET', rec, 'status')
if status then redis.call('ZREM', prefix .. 'status:' .. status, id) end
redis.call('ZREM', prefix .. 'name:' .. ARGV[3], id)
for i = 4, #ARGV do redis.call('ZREM', prefix .. 'label:' .. ARGV[i], id) end
redis.call('ZREM', prefix .. 'hooks', id)
redis.call('ZREM', prefix .. 'tidy', id)
redis.call('UNLINK', rec, ev, prefix .. 'seg:' .. id, prefix .. 'hook:' .. id)
redis.call('ZREM', prefix .. 'done', id)
return 1
