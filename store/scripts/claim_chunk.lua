-- KEYS: generation, chunks, leases. ARGV: chunk, lease in ms.
-- Returns granted, done, leased, or closed when the generation takes no more chunks.
local record = redis.call('HMGET', KEYS[1], 'state', 'touched', 'users_written', 'pace_from')
if record[1] ~= 'building' then
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
-- A full server refuses a script's first write unless that only deletes; what follows it then takes.
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', now + ARGV[2]))
redis.call('HINCRBY', KEYS[3], ARGV[1] .. ':attempts', 1)
local text = string.format('%.0f', now)
redis.call('HSET', KEYS[1], 'touched', text)
-- Nobody was at it for as long as a lease: the pace is measured anew, or the pause would count as work.
if not record[4] or now - record[2] > tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'pace_from', text, 'pace_users', record[3], 'pace_next', text, 'pace_next_users', record[3])
end
return 'granted'
