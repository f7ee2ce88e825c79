-- KEYS: generation. Notes that the content of a failed or retired generation is gone.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'failed' or state == 'retired' then
  -- First of all: a full server refuses a script's first write unless that only deletes.
  redis.call('HDEL', KEYS[1], 'swept')
  redis.call('HSET', KEYS[1], 'swept', 1)
end
return 1
