-- KEYS: record. ARGV: field, value, … of the record. Returns 1, or 0 when the record is there already.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], unpack(ARGV))
redis.call('HSET', KEYS[1], 'updated_epoch', string.format('%.3f', time[1] + time[2] / 1e6))
return 1
