-- KEYS: lock. ARGV: owner.
-- Returns 1 when the owner held it and holds it no more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
