-- KEYS: live, fence, hold. ARGV: stem of the model's generation keys, id, fence, now as ISO text, overlap, changed.
-- Flips the pointer to a ready generation, or lays a delta over its base. Returns ok, missing, fence_lost, base_lost,
-- hold, or the state that forbids it. A hold keeps what is live; where nothing is, there is nothing to keep.
local stem, id = ARGV[1], ARGV[2]
local function retire(generation)
  redis.call('HSET', stem .. generation, 'state', 'retired', 'retired_at', redis.call('TIME')[1])
end
local record = redis.call('HMGET', stem .. id, 'state', 'fence', 'base')
if not record[1] then
  return 'missing'
end
local base, delta = string.match(redis.call('GET', KEYS[1]) or '', '^([^:]*):?(.*)$')
local over = record[3] or ''
if (base == id or delta == id) and record[1] == 'live' then
  return 'ok'
end
if record[2] ~= ARGV[3] or redis.call('GET', KEYS[2]) ~= ARGV[3] then
  return 'fence_lost'
end
if record[1] ~= 'ready' then
  return record[1]
end
if base ~= '' and redis.call('EXISTS', KEYS[3]) == 1 then
  return 'hold'
end
if over ~= '' and over ~= base then
  return 'base_lost'
end
-- First of all: a full server refuses a script's first write unless that only deletes.
redis.call('HDEL', stem .. id, 'published')
if delta ~= '' then
  retire(delta)
end
local replaced = base
if over ~= '' then
  replaced = delta
elseif base ~= '' then
  local previous = redis.call('HGET', stem .. base, 'replaces')
  if previous and previous ~= '' and redis.call('HGET', stem .. previous, 'state') == 'previous' then
    retire(previous)
  end
  redis.call('HSET', stem .. base, 'state', 'previous')
end
redis.call('HSET', stem .. id, 'state', 'live', 'replaces', replaced, 'published', ARGV[4], 'overlap', ARGV[5],
  'changed', ARGV[6])
redis.call('SET', KEYS[1], over ~= '' and (over .. ':' .. id) or id)
return 'ok'
