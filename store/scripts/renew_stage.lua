-- KEYS: record. ARGV: lease in seconds.
-- Lengthens a lease that is held; returns 1, 0 when the stage moved on or the record is over.
local record = redis.call('HMGET', KEYS[1], 'state', 'lease_until')
if (record[1] ~= 'running' and record[1] ~= 'cancelling') or tonumber(record[2]) == 0 then
  return 0
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[1], 'lease_until')
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'lease_until', string.format('%.3f', time[1] + time[2] / 1e6 + ARGV[1]))
return 1
