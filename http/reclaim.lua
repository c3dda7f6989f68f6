-- Takes over entries of the outbox whose lease ran out, oldest first: their edge is dead, or the
-- log was away (08 R14). A lease is kept by the clock of Redis, so edges need not agree on time.
--
-- KEYS  outbox, leases
-- ARGV  lease ms, entries at most
-- Gives how many entries wait, then command id and entry of each one taken.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGE', KEYS[2], '-inf', string.format('%.0f', now), 'BYSCORE',
  'LIMIT', 0, ARGV[2])
local taken = { redis.call('HLEN', KEYS[1]) }
for _, command in ipairs(due) do
  local entry = redis.call('HGET', KEYS[1], command)
  if entry then
    redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[1]), command)
    table.insert(taken, command)
    table.insert(taken, entry)
  else
    redis.call('ZREM', KEYS[2], command)
  end
end
return taken
