-- KEYS: leases. ARGV: chunk.
-- Gives up a lease that ran out, so that the chunk counts as one never claimed; returns 1, 0 where there is none.
local held_until = redis.call('HGET', KEYS[1], ARGV[1])
local time = redis.call('TIME')
if not held_until or tonumber(held_until) > time[1] * 1000 + math.floor(time[2] / 1000) then
  return 0
end
return redis.call('HDEL', KEYS[1], ARGV[1])
