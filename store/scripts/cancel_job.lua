-- KEYS: job. ARGV: now as ISO text.
-- A queued job is cancelled at once, a running one asked to stop, one that is over left alone.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'queued' or state == 'running' then
  -- First of all: a full server refuses a script's first write unless that only deletes.
  redis.call('HDEL', KEYS[1], 'updated')
end
if state == 'queued' then
  redis.call('HSET', KEYS[1], 'state', 'cancelled', 'finished', ARGV[1], 'updated', ARGV[1])
elseif state == 'running' then
  redis.call('HSET', KEYS[1], 'state', 'cancelling', 'updated', ARGV[1])
end
return 1
