-- Ends and begins acceptances: what the log has acked leaves the outbox, and each new command
-- claims its key and enters the outbox, all in one step (00 A3, 08 R13, R14).
--
-- KEYS  outbox, leases, born, the claim of each ending, the claim of each beginning
-- ARGV  token for a Redis without one, token that vouches, window ms, lease ms, entries at most,
--       number of endings; command id and log position of each ending;
--       fingerprint, command id, answer, outbox entry and origin of the key of each beginning
-- Gives born, then word, answer, position and whether Redis vouches for its word of each beginning.
-- The words: new, claimed, acked, unsure (ask PostgreSQL), other (body), full (outbox).
-- The origins: drawn (by us), client, unused (a client's, and PostgreSQL has never seen it).

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', now)

local born = redis.call('GET', KEYS[3])
if not born then
  born = ARGV[1] .. ':' .. stamp
  redis.call('SET', KEYS[3], born)
end
local token, since = string.match(born, '^(.*):(%d+)$')
-- While it is young, the Redis data that was there first has forgotten nothing. When it is older
-- than the window, an unknown key was last used so long ago that PostgreSQL knows it, if ever.
local aged = now - tonumber(since) > tonumber(ARGV[3])
local vouches = { drawn = true, client = token == ARGV[2] and not aged }
vouches.unused = vouches.client or aged

local endings = tonumber(ARGV[6])
local ended = {}
for i = 1, endings do
  local claim, command, position = KEYS[3 + i], ARGV[5 + 2 * i], ARGV[6 + 2 * i]
  local held = redis.call('HMGET', claim, 'command', 'state', 'doubt')
  if held[1] == command and held[2] == 'claimed' then
    redis.call('HSET', claim, 'state', held[3] and 'unsure' or 'acked', 'position', position)
  end
  ended[i] = command
end
if endings > 0 then
  redis.call('HDEL', KEYS[1], unpack(ended))
  redis.call('ZREM', KEYS[2], unpack(ended))
end

local answers = { born }
local waiting = redis.call('HLEN', KEYS[1])
for i = 1, #KEYS - 3 - endings do
  local claim = KEYS[3 + endings + i]
  local at = 6 + 2 * endings + 5 * (i - 1)
  local fingerprint, command = ARGV[at + 1], ARGV[at + 2]
  local vouched = vouches[ARGV[at + 5]]
  local held = redis.call('HMGET', claim, 'state', 'fingerprint', 'answer', 'position', 'doubt')
  local word, answer, position = held[1], held[3], held[4]
  if word == 'unsure' or (word == 'claimed' and held[5] and held[2] ~= fingerprint) then
    word, answer, position = 'unsure', false, false
  elseif word and held[2] ~= fingerprint then
    word, answer, position = 'other', false, false
  elseif word == 'claimed' and held[5] then
    answer = false -- Another body may have been first, so this answer may be wrong.
  elseif not word and waiting >= tonumber(ARGV[5]) then
    word = 'full'
  elseif not word then
    word, waiting = 'new', waiting + 1
    redis.call('HSET', claim, 'state', 'claimed', 'fingerprint', fingerprint,
      'command', command, 'answer', ARGV[at + 3])
    if not vouched then
      redis.call('HSET', claim, 'doubt', '1')
    end
    redis.call('PEXPIRE', claim, ARGV[3])
    redis.call('HSET', KEYS[1], command, ARGV[at + 4])
    redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[4]), command)
  end
  table.insert(answers, word)
  table.insert(answers, answer)
  table.insert(answers, position)
  table.insert(answers, vouched and 1 or 0)
end
return answers
