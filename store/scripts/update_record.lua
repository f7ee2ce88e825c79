-- KEYS: record. ARGV: now as ISO text, then field, value, …
-- Returns 1, 0 when the record is over and was left alone, -1 when there is no such record.
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
redis.call('HSET', KEYS[1], 'updated', ARGV[1],
  'updated_epoch', string.format('%.3f', time[1] + time[2] / 1e6), unpack(ARGV, 2))
return 1
