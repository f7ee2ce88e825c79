-- KEYS: job. ARGV: stage.
-- Takes back that a stage was begun, but for its lease, which runs out; returns 1, 0 when the job moved on.
local job = redis.call('HMGET', KEYS[1], 'state', 'stage', 'attempts')
local attempts = tonumber(job[3]) or 0
if job[1] ~= 'running' or job[2] ~= ARGV[1] or attempts == 0 then
  return 0
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[1], 'attempts')
redis.call('HSET', KEYS[1], 'attempts', attempts - 1)
return 1
