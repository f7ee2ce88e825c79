-- KEYS: events. ARGV: limit, then one JSON text per event.
-- Takes the whole batch or nothing; returns the stream ids, none when there is no room.
if redis.call('XLEN', KEYS[1]) + #ARGV - 1 > tonumber(ARGV[1]) then
  return {}
end
local ids = {}
for i = 2, #ARGV do
  ids[i - 1] = redis.call('XADD', KEYS[1], '*', 'e', ARGV[i])
end
return ids
