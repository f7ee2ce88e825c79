-- KEYS: generation. ARGV: reason.
-- Fails a generation that was never published; returns 1, or 0 when it is in no state to fail.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'building' and state ~= 'ready' then
  return 0
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[1], 'retired_at')
redis.call('HSET', KEYS[1], 'state', 'failed', 'error', ARGV[1], 'retired_at', redis.call('TIME')[1])
return 1
