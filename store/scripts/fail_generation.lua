-- KEYS: generation. ARGV: reason.
-- Fails a generation that was never published; returns 1, or 0 when it is in no state to fail.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'building' and state ~= 'ready' then
  return 0
end
redis.call('HSET', KEYS[1], 'state', 'failed', 'error', ARGV[1], 'retired_at', redis.call('TIME')[1])
return 1
