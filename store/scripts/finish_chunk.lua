-- KEYS: generation, chunks, leases. ARGV: chunk, users written.
-- Counts a chunk once; returns how many are left, -1 when there is no such generation.
local record = redis.call('HMGET', KEYS[1], 'state', 'n_chunks', 'chunks_done')
if not record[1] then
  return -1
end
local left = record[2] - record[3]
if record[1] ~= 'building' or redis.call('GETBIT', KEYS[2], ARGV[1]) == 1 then
  return left
end
redis.call('SETBIT', KEYS[2], ARGV[1], 1)
redis.call('HINCRBY', KEYS[1], 'chunks_done', 1)
redis.call('HINCRBY', KEYS[1], 'users_written', ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[1])
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'touched', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
return left - 1
