-- KEYS: generation, chunks, leases. ARGV: chunks.
-- Takes back that chunks are finished; returns 1, 0 when the generation is not building.
if redis.call('HGET', KEYS[1], 'state') ~= 'building' then
  return 0
end
for _, chunk in ipairs(ARGV) do
  if redis.call('GETBIT', KEYS[2], chunk) == 1 then
    local users = redis.call('HGET', KEYS[3], chunk .. ':users') or 0
    -- First of all: a full server refuses a script's first write unless that only deletes.
    redis.call('HDEL', KEYS[3], chunk .. ':users')
    redis.call('SETBIT', KEYS[2], chunk, 0)
    redis.call('HINCRBY', KEYS[1], 'chunks_done', -1)
    redis.call('HINCRBY', KEYS[1], 'users_written', -users)
  end
end
return 1
