-- KEYS: job. ARGV: stage it is in, stage it goes to, ISO time.
-- Returns 1 when the job moved on, 0 when it is elsewhere, over, or being cancelled.
local state, stage = unpack(redis.call('HMGET', KEYS[1], 'state', 'stage'))
if state ~= 'running' or stage ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'stage', ARGV[2], 'lease_ms', 0, 'attempts', 0, 'message', '', 'updated', ARGV[3])
return 1
