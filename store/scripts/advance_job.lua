-- KEYS: job. ARGV: stage that is done, stage that follows, now as ISO text.
-- Frees the lease and moves a running job on; returns 1, 0 when somebody did so before.
local job = redis.call('HMGET', KEYS[1], 'state', 'stage')
if job[1] ~= 'running' or job[2] ~= ARGV[1] then
  return 0
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[1], 'updated_epoch')
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'stage', ARGV[2], 'attempts', 0, 'lease_until', 0, 'message', '', 'updated', ARGV[3],
  'updated_epoch', string.format('%.3f', time[1] + time[2] / 1e6))
return 1
