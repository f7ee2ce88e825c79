-- KEYS: generation, chunks, leases. ARGV: chunk, lease in ms.
-- Returns 1 when the lease was lengthened, 0 when there is nothing left to lease.
if redis.call('HGET', KEYS[1], 'state') ~= 'building'
  or redis.call('GETBIT', KEYS[2], ARGV[1]) == 1
  or redis.call('HEXISTS', KEYS[3], ARGV[1]) == 0 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', now + ARGV[2]))
return 1
