-- KEYS: generation, chunks, leases. ARGV: chunk, users written, window of the pace in ms.
-- Counts a chunk once; returns how many are left, -1 when there is no such generation.
local record = redis.call('HMGET', KEYS[1], 'state', 'n_chunks', 'chunks_done', 'pace_next', 'pace_next_users')
if not record[1] then
  return -1
end
local left = record[2] - record[3]
if record[1] ~= 'building' or redis.call('GETBIT', KEYS[2], ARGV[1]) == 1 then
  return left
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('SETBIT', KEYS[2], ARGV[1], 1)
redis.call('HSET', KEYS[3], ARGV[1] .. ':users', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'chunks_done', 1)
local written = redis.call('HINCRBY', KEYS[1], 'users_written', ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local text = string.format('%.0f', now)
redis.call('HSET', KEYS[1], 'touched', text)
if record[4] and now - record[4] >= tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'pace_from', record[4], 'pace_users', record[5], 'pace_next', text, 'pace_next_users', written)
end
return left - 1
