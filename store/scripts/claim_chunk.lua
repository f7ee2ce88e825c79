-- KEYS: generation, chunks, leases. ARGV: chunk, lease in ms.
-- Returns granted, done, leased, or closed when the generation takes no more chunks.
if redis.call('HGET', KEYS[1], 'state') ~= 'building' then
  return 'closed'
end
if redis.call('GETBIT', KEYS[2], ARGV[1]) == 1 then
  return 'done'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held_until = redis.call('HGET', KEYS[3], ARGV[1])
if held_until and tonumber(held_until) > now then
  return 'leased'
end
redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', now + ARGV[2]))
redis.call('HINCRBY', KEYS[3], ARGV[1] .. ':attempts', 1)
redis.call('HSET', KEYS[1], 'touched', string.format('%.0f', now))
return 'granted'
