-- KEYS: generation. Notes that the content of a failed or retired generation is gone.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'failed' or state == 'retired' then
  redis.call('HSET', KEYS[1], 'swept', 1)
end
return 1
