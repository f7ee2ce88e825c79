-- KEYS: job. ARGV: field, value, ...
-- Returns 1 when the fields were set, 0 when the job is over or gone: nothing brings it back.
local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'succeeded' or state == 'failed' or state == 'cancelled' then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
