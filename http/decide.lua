-- Writes down what was decided about a key that Redis could not vouch for, so that its next
-- repeat is answered at once (08 R13).
--
-- KEYS  the claim
-- ARGV  fingerprint, command id, answer, log position, window ms

redis.call('HSET', KEYS[1], 'state', 'acked', 'fingerprint', ARGV[1], 'command', ARGV[2],
  'answer', ARGV[3], 'position', ARGV[4])
redis.call('HDEL', KEYS[1], 'doubt')
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {}
