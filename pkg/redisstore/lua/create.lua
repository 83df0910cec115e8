-- Accepts an execution: record, indexes, idempotency key, place in line, or nothing at all.
-- Put after a function line(KEYS, ARGV), which hands it to the workers.   KEYS[2...] for that function
-- ARGV[3] spec JSON   ARGV[4] queue   ARGV[5] name   ARGV[6] delay ms
-- ARGV[7] limit on queued executions of this partition, 0 for none
-- ARGV[8] webhook url or ''   ARGV[9] idempotency key's hash or ''   ARGV[10] hash of the spec   ARGV[11] its TTL ms
-- ARGV[12] nonce of this call   ARGV[13] ms that it may wait in line, 0 = for ever
-- ARGV[14] until when (ms) releases may run that need the first event in the log   ARGV[15] how many labels
-- ARGV[16...] labels as k=v, then what is for line
-- Returns {'new', created, place in the partition's line, 1 if line did its work} | {'known', id} | {'reused'} | {'full', queued}
local idem = prefix .. 'idem:' .. ARGV[9]
if ARGV[9] ~= '' then
  local seen = redis.call('GET', idem)
  if seen then
    local known, hash = string.match(seen, '^(%S+) (%S+)$')
    -- Repeated by our own client after a lost reply: the same id is not "known", it is
    -- ours. And a key that has outlived its execution stands for nothing any more.
    if known ~= id and redis.call('EXISTS', prefix .. 'x:' .. known) == 1 then
      if hash ~= ARGV[10] then return {'reused'} end
      return {'known', known}
    end
  end
end
local had = redis.call('HMGET', rec, 'nonce', 'created')
local function place() return tostring(redis.call('ZRANK', prefix .. 'q:' .. ARGV[4], id) or 0) end
if had[1] == ARGV[12] then return {'new', had[2], place(), '0'} end
if had[1] then return redis.error_reply('EXISTS an execution with this id exists') end
local waiting = redis.call('ZCARD', prefix .. 'status:queued')
if tonumber(ARGV[7]) > 0 and waiting >= tonumber(ARGV[7]) then return {'full', tostring(waiting)} end

local created, eligible = int(now), now + tonumber(ARGV[6])
redis.call('HSET', rec, 'spec', ARGV[3], 'queue', ARGV[4], 'status', 'queued', 'attempt', '0', 'last', '1',
  'created', created, 'eligible', int(eligible), 'nonce', ARGV[12], 'dispatch', '1')
if ARGV[8] ~= '' then redis.call('HSET', rec, 'hook', ARGV[8]) end
wait(ARGV[4], eligible)
redis.call('ZADD', prefix .. 'status:queued', created, id)
redis.call('ZADD', prefix .. 'name:' .. ARGV[5], created, id)
if tonumber(ARGV[13]) > 0 then redis.call('ZADD', prefix .. 'late', int(eligible + tonumber(ARGV[13])), id) end
local labels = tonumber(ARGV[15])
for i = 16, 15 + labels do redis.call('ZADD', prefix .. 'label:' .. ARGV[i], created, id) end
if ARGV[9] ~= '' then redis.call('SET', idem, id .. ' ' .. ARGV[10], 'PX', ARGV[11]) end
-- The first event is what the record says (first.go). Where it is written all the same it has no bell: nobody
-- can listen to an id that nobody has been told yet.
if now < tonumber(ARGV[14]) then
  redis.call('XADD', ev, '1-0', 'n', '1', 'enc', 'j', 'data',
    '{"t":' .. created .. ',"a":0,"type":"status","data":{"status":"queued","queue":"' .. ARGV[4] .. '"}}')
  -- A hundred thousand may wait. One that is taken soon is shrunk at its end.
  if waiting >= 1000 then shrink() end
end
local lined = pcall(line, {unpack(KEYS, 2)}, {unpack(ARGV, 16 + labels)}) -- else somebody else must: it is accepted
return {'new', created, place(), lined and '1' or '0'}
