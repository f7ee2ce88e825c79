-- KEYS: live, fence, hold. ARGV: stem of the model's generation keys, now as ISO text.
-- Drops the delta, else goes back to the generation the base replaced; raises the fence and holds the model.
-- Returns the new pointer, or an empty string when there is nothing to go back to.
local stem = ARGV[1]
local base, delta = string.match(redis.call('GET', KEYS[1]) or '', '^([^:]*):?(.*)$')
if base == '' then
  return ''
end
local target, dropped = base, delta
if delta == '' then
  target, dropped = redis.call('HGET', stem .. base, 'replaces') or '', base
  if target == '' or redis.call('HGET', stem .. target, 'state') ~= 'previous' then
    return ''
  end
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', stem .. dropped, 'retired_at')
redis.call('HSET', stem .. dropped, 'state', 'retired', 'retired_at', redis.call('TIME')[1])
if dropped == base then
  redis.call('HSET', stem .. target, 'state', 'live')
end
redis.call('SET', KEYS[1], target)
redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[3], ARGV[2])
return target
