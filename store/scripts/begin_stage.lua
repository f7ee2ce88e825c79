-- KEYS: record. ARGV: stage, lease in seconds, now as ISO text.
-- Leases a stage that is next and that nobody works on; returns 1, 0 otherwise.
local record = redis.call('HMGET', KEYS[1], 'state', 'stage', 'lease_until', 'started')
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
if (record[1] ~= 'queued' and record[1] ~= 'running') or record[2] ~= ARGV[1] or tonumber(record[3]) > now then
  return 0
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[1], 'updated_epoch')
redis.call('HSET', KEYS[1], 'state', 'running', 'lease_until', string.format('%.3f', now + ARGV[2]),
  'updated', ARGV[3], 'updated_epoch', string.format('%.3f', now))
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
if record[4] == '' then
  redis.call('HSET', KEYS[1], 'started', ARGV[3])
end
return 1
