-- KEYS: job. ARGV: lease in seconds.
-- Lengthens a lease that is held; returns 1, 0 when the stage moved on or the job is over.
local job = redis.call('HMGET', KEYS[1], 'state', 'lease_until')
if (job[1] ~= 'running' and job[1] ~= 'cancelling') or tonumber(job[2]) == 0 then
  return 0
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[1], 'lease_until')
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'lease_until', string.format('%.3f', time[1] + time[2] / 1e6 + ARGV[1]))
return 1
