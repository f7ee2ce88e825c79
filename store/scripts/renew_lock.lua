-- KEYS: lock. ARGV: owner, lifetime in ms. Returns 1, 0 when somebody else or nobody holds it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
