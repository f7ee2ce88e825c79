-- KEYS: record. ARGV: final state, now as ISO text, then field, value, …
-- Ends a record once; returns 1, 0 when it is over already, -1 when there is no such record.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then
  return -1
end
if state == 'succeeded' or state == 'failed' or state == 'cancelled' or state == 'skipped' then
  return 0
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[1], 'updated_epoch')
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'lease_until', 0, 'finished', ARGV[2], 'updated', ARGV[2],
  'updated_epoch', string.format('%.3f', time[1] + time[2] / 1e6), unpack(ARGV, 3))
if ARGV[1] == 'succeeded' then
  redis.call('HSET', KEYS[1], 'progress', 1)
end
return 1
