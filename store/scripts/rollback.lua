-- KEYS: live, fence, hold. ARGV: stem of the model's generation keys, now as ISO text.
-- Drops the delta, else goes back to the generation the base replaced; raises the fence and holds the model.
-- Returns the new pointer, or an empty string when there is nothing to go back to.
local stem = ARGV[1]
local function retire(generation)
  redis.call('HSET', stem .. generation, 'state', 'retired', 'retired_at', redis.call('TIME')[1])
end
local base, delta = string.match(redis.call('GET', KEYS[1]) or '', '^([^:]*):?(.*)$')
if base == '' then
  return ''
end
local target = base
if delta ~= '' then
  retire(delta)
else
  target = redis.call('HGET', stem .. base, 'replaces') or ''
  if target == '' or redis.call('HGET', stem .. target, 'state') ~= 'previous' then
    return ''
  end
  retire(base)
  redis.call('HSET', stem .. target, 'state', 'live')
end
redis.call('SET', KEYS[1], target)
redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[3], ARGV[2])
return target
