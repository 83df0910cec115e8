-- Gives a queued execution the number of its next Asynq task.
-- ARGV[3] the dispatch number that was found missing
-- Returns the new number, or 0 when it is no longer queued or somebody else has done it.
local r = redis.call('HMGET', rec, 'status', 'dispatch')
if r[1] ~= 'queued' or r[2] ~= ARGV[3] then return 0 end
return redis.call('HINCRBY', rec, 'dispatch', 1)
