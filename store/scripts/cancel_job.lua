-- KEYS: job. ARGV: ISO time.
-- Returns the job's state from now on: a queued job is over at once, a running one is asked to stop.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'queued' then
  redis.call('HSET', KEYS[1], 'state', 'cancelled', 'finished', ARGV[1], 'updated', ARGV[1])
  return 'cancelled'
end
if state == 'running' then
  redis.call('HSET', KEYS[1], 'state', 'cancelling', 'updated', ARGV[1])
  return 'cancelling'
end
return state or ''
