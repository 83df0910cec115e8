-- Gives one worker the right to run the next attempt: queued becomes running.
-- ARGV[3] token   ARGV[4] worker   ARGV[5] lease in ticks   ARGV[6] worker as a JSON string
-- ARGV[7] ms that it may be early
-- Returns {'ok', attempt, spec, started, eligible} | {'refused', status} | {'early', eligible} | {'gone'}
local r = redis.call('HMGET', rec, 'status', 'token', 'attempt', 'queue', 'created', 'spec', 'started', 'eligible', 'last')
if not r[1] then return {'gone'} end
if r[1] == 'running' and r[2] == ARGV[3] then return {'ok', r[3], r[6], r[7], r[8]} end
if r[1] ~= 'queued' then return {'refused', r[1]} end
-- Asynq judges delays by a worker's clock, which may be wrong. One without a delay may always
-- run, also where Redis' own clock has gone back.
if r[8] ~= r[5] and now < tonumber(r[8]) - tonumber(ARGV[7]) then return {'early', r[8]} end
local attempt = tonumber(r[3]) + 1
redis.call('HSET', rec, 'status', 'running', 'attempt', int(attempt), 'token', ARGV[3], 'worker', ARGV[4],
  'started', int(now), 'batch', '0', 'last', after(r[9]))
redis.call('ZREM', prefix .. 'q:' .. r[4], id)
redis.call('ZREM', prefix .. 'late', id)
redis.call('ZADD', prefix .. 'run', int(tick() + tonumber(ARGV[5])), id)
move('queued', 'running', r[5])
emit(after(r[9]), 'status', attempt, '{"status":"running","attempt":' .. int(attempt) .. ',"worker":' .. ARGV[6] .. '}')
return {'ok', int(attempt), r[6], int(now), r[8]}
