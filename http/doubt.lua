-- Marks keys that went around Redis: whoever repeats one is answered from PostgreSQL (08 R13).
--
-- KEYS  born, the claims
-- ARGV  window ms, and "" or a new token when there were too many keys to be marked one by one

for i = 2, #KEYS do
  redis.call('HSET', KEYS[i], 'state', 'unsure')
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
if ARGV[2] ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('SET', KEYS[1], ARGV[2] .. ':' .. string.format('%.0f', now))
end
return {}
