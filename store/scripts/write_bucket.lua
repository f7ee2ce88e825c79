-- KEYS: bucket, overflow. ARGV: length of the bucket's part, then field, value, … of the bucket, then of the overflow.
-- Replaces both hashes whole. Slices keep below Lua's limit on unpacked values.
local function fill(key, first, last)
  for from = first, last, 1000 do
    redis.call('HSET', key, unpack(ARGV, from, math.min(from + 999, last)))
  end
end
redis.call('UNLINK', KEYS[1], KEYS[2])
local split = 1 + tonumber(ARGV[1])
fill(KEYS[1], 2, split)
fill(KEYS[2], split + 1, #ARGV)
return 1
