-- KEYS: generation, generations. ARGV: id, fence, then field, value, … of the record.
-- Returns 1, or 0 when the record is there already and was left alone.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return 1
