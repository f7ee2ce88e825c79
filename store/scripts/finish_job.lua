-- KEYS: job. ARGV: state, error, ISO time.
-- Returns 1 when the job ended now, 0 when it was over or is gone.
local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'succeeded' or state == 'failed' or state == 'cancelled' then
  return 0
end
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'error', ARGV[2], 'finished', ARGV[3], 'updated', ARGV[3], 'lease_ms', 0)
if ARGV[1] == 'succeeded' then
  redis.call('HSET', KEYS[1], 'progress', 1)
end
return 1
