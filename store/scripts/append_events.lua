-- KEYS: events. ARGV: limit, one JSON text an event.
-- Returns the ids of the entries, or nothing when they would not all fit.
if redis.call('XLEN', KEYS[1]) + #ARGV - 1 > tonumber(ARGV[1]) then
  return {}
end
local ids = {}
for position = 2, #ARGV do
  ids[position - 1] = redis.call('XADD', KEYS[1], '*', 'e', ARGV[position])
end
return ids
