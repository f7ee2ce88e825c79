-- KEYS: record. ARGV: stage that is done, stage that follows, now as ISO text.
-- Frees the lease and moves a running record on; returns 1, 0 when somebody did so before.
local record = redis.call('HMGET', KEYS[1], 'state', 'stage')
if record[1] ~= 'running' or record[2] ~= ARGV[1] then
  return 0
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[1], 'updated_epoch')
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'stage', ARGV[2], 'attempts', 0, 'lease_until', 0, 'message', '', 'updated', ARGV[3],
  'updated_epoch', string.format('%.3f', time[1] + time[2] / 1e6))
return 1
