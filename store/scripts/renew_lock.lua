-- KEYS: lock. ARGV: owner, time to live in ms.
-- Returns 1 when the owner still holds it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
