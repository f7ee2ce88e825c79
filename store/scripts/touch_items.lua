-- KEYS: recent items. ARGV: limit, time to live in seconds, item, ... oldest first.
for position = 3, #ARGV do
  redis.call('LREM', KEYS[1], 0, ARGV[position])
  redis.call('LPUSH', KEYS[1], ARGV[position])
end
redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('LLEN', KEYS[1])
