-- KEYS: lock. ARGV: owner, time to live in ms.
-- Returns the owner from now on; the one who asks may hold it already.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return owner
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
