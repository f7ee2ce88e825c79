-- KEYS: job. ARGV: lease in ms.
-- Returns 1 when the lease was renewed, 0 when the job is not under way.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'running' and state ~= 'cancelling' then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'lease_ms', string.format('%.0f', now + ARGV[1]))
return 1
