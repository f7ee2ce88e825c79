-- KEYS: generation. ARGV: warning of the verification.
-- Turns building into ready; returns the state it found, or missing.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'building' then
  -- First of all: a full server refuses a script's first write unless that only deletes.
  redis.call('HDEL', KEYS[1], 'warning')
  redis.call('HSET', KEYS[1], 'state', 'ready', 'warning', ARGV[1])
end
return state or 'missing'
