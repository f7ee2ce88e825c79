-- KEYS: job. ARGV: field, value, ...
-- Returns 1 when the record was made, 0 when there was one.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
