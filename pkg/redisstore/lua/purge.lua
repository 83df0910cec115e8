-- Takes an ended execution out of Redis when its retention is over.
-- ARGV[3] created   ARGV[4...] its indexes
-- Returns 1 when it was taken out, 0 when its time has not come.
local due, paged = redis.call('ZSCORE', prefix .. 'done', id), nil
if not due then
  paged = whenDue('done', id)
  due = paged
end
if due and tonumber(due) > now then return 0 end
local kind = redis.call('TYPE', rec).ok
if kind ~= 'none' and not due then return 0 end -- it is in a page that has nothing due
for i = 4, #ARGV do
  if kind == 'string' then takeOut(ARGV[i], ARGV[3], id) else redis.call('ZREM', prefix .. ARGV[i], id) end
end
redis.call('ZREM', prefix .. 'hooks', id)
redis.call('ZREM', prefix .. 'tidy', id)
redis.call('UNLINK', rec, ev, prefix .. 'seg:' .. id, prefix .. 'hook:' .. id)
redis.call('ZREM', prefix .. 'done', id)
if paged then takeOut('done', paged, id) end
return 1
