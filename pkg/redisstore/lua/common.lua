-- Put before every script that concerns one execution.
-- KEYS[1] record   ARGV[1] prefix of the partition   ARGV[2] id
-- Other keys are computed from the prefix: they share its hash tag and so its slot.
local prefix, id = ARGV[1], ARGV[2]
local rec, ev = KEYS[1], ARGV[1] .. 'ev:' .. ARGV[2]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function int(n) return string.format('%.0f', n) end

-- Puts it in a queue's line. With the microseconds, so that those of one millisecond stand in the order in which they came.
local function wait(queue, eligible)
  redis.call('ZADD', prefix .. 'q:' .. queue, string.format('%.3f', eligible + clock[2] % 1000 / 1000), id)
end

local function tick() return tonumber(redis.call('HGET', prefix .. 'tick', 'n') or '0') end

-- emit writes one event of Longhaul's own; data is a JSON object as a string, and seq
-- the number that the caller has stored as the last.
local function emit(seq, kind, attempt, data)
  redis.call('XADD', ev, seq .. '-0', 'n', '1', 'enc', 'j', 'data',
    '{"t":' .. int(now) .. ',"a":' .. attempt .. ',"type":"' .. kind .. '","data":' .. data .. '}')
  redis.call('PUBLISH', 'lh:bell:' .. id, seq)
end

local function after(last) return int(tonumber(last) + 1) end

-- shrink makes a short log take what it needs: a stream allots 4 KiB with its
-- first entry, and one that is written anew does not. Where Redis cannot do that
-- (full, or the one embedded for development), it stays as it is.
local function shrink()
  local whole = redis.pcall('DUMP', ev)
  if type(whole) == 'string' then redis.pcall('RESTORE', ev, 0, whole, 'REPLACE') end
end

-- move takes the id from one status index to another.
local function move(from, to, created)
  redis.call('ZREM', prefix .. 'status:' .. from, id)
  redis.call('ZADD', prefix .. 'status:' .. to, created, id)
end

-- finish makes the execution terminal: record, indexes, end event, webhook. token
-- is that of the attempt which ends it, or ''. What runs is in no line any more.
local function finish(from, status, outcome, ending, result, retention, token)
  local r = redis.call('HMGET', rec, 'created', 'attempt', 'queue', 'hook', 'stored', 'last')
  local last = after(r[6])
  local set = {'status', status, 'ended', int(now), 'outcome', outcome, 'last', last}
  if token ~= '' then set[9], set[10] = 'settled', token end
  if result ~= '' then set[#set + 1], set[#set + 2] = 'result', result end
  redis.call('HSET', rec, unpack(set))
  if from == 'running' then
    redis.call('ZREM', prefix .. 'run', id)
  else
    redis.call('ZREM', prefix .. 'q:' .. r[3], id)
    redis.call('ZREM', prefix .. 'late', id)
  end
  move(from, status, r[1])
  redis.call('ZADD', prefix .. 'done', int(now + tonumber(retention)), id)
  if r[4] then redis.call('ZADD', prefix .. 'hooks', int(now), id) end
  emit(last, 'end', r[2], ending)
  -- A log that is worth it is packed soon.
  if tonumber(r[5] or '0') > 4096 or redis.call('XLEN', ev) > 32 then
    redis.call('ZADD', prefix .. 'tidy', int(now + 5000), id)
    return
  end
  shrink()
end
