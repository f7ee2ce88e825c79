-- KEYS: generation, chunks, leases. ARGV: chunk, lease in ms.
-- Keeps a chunk, also one whose lease the server lost or gave up; returns 0 when there is nothing left to do.
if redis.call('HGET', KEYS[1], 'state') ~= 'building' or redis.call('GETBIT', KEYS[2], ARGV[1]) == 1 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', now + ARGV[2]))
redis.call('HSET', KEYS[1], 'touched', string.format('%.0f', now))
return 1
