-- KEYS: generation, generations. ARGV: id, fence, then field, value, … of the record.
-- It counts as touched: its chunks may still be on their way.
-- Returns 1, or 0 when the record is there already and was left alone.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'touched', now, unpack(ARGV, 3))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return 1
