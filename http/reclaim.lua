-- Takes over entries of the outbox whose lease ran out, oldest first: their edge is dead, or the
-- log was away (08 R14). A lease is kept by the clock of Redis, so edges need not agree on time.
-- An entry stays while the one that it stands behind is in other hands: per payment, first in is
-- first out.
--
-- KEYS  outbox, leases, what each entry stands behind
-- ARGV  lease ms, entries at most
-- Gives how many entries wait, then command id and entry of each one taken.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGE', KEYS[2], '-inf', string.format('%.0f', now), 'BYSCORE',
  'LIMIT', 0, ARGV[2])
local answer = { redis.call('HLEN', KEYS[1]) }
local taken = {}
for place, command in ipairs(due) do
  local entry = redis.call('HGET', KEYS[1], command)
  local before = redis.call('HGET', KEYS[3], command)
  if not entry then
    redis.call('ZREM', KEYS[2], command)
  elseif not before or taken[before] or redis.call('HEXISTS', KEYS[1], before) == 0 then
    redis.call('ZADD', KEYS[2], string.format('%.3f', now + ARGV[1] + place / 1000), command)
    taken[command] = true
    table.insert(answer, command)
    table.insert(answer, entry)
  end
end
return answer
