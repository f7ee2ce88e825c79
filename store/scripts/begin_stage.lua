-- KEYS: job. ARGV: stage, lease in ms, ISO time.
-- Returns 1 when the stage is the caller's, 0 when the job is past it, over, or somebody holds its lease.
local state, stage, lease, started = unpack(redis.call('HMGET', KEYS[1], 'state', 'stage', 'lease_ms', 'started'))
if (state ~= 'queued' and state ~= 'running') or stage ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if lease and tonumber(lease) > now then
  return 0
end
redis.call('HSET', KEYS[1], 'state', 'running', 'lease_ms', string.format('%.0f', now + ARGV[2]), 'updated', ARGV[3])
if not started or started == '' then
  redis.call('HSET', KEYS[1], 'started', ARGV[3])
end
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
return 1
