-- Ends and begins acceptances: what the log has acked leaves the outbox, answers are written down,
-- and each new command claims its key and enters the outbox, all in one step (00 A3, 08 R13, R14).
--
-- KEYS  outbox, leases, born, last of each payment, what each entry stands behind,
--       the claim of each ending, the claim of each beginning
-- ARGV  token for a Redis without one, token that vouches, window ms, lease ms, entries at most,
--       who asks, number of endings;
--       command, payment, log position, fingerprint, type, status, request and answer of each
--       ending, the last four empty while it is not decided;
--       fingerprint, command, payment, type, request, time, status, answer (both empty when it has
--       to be decided first), outbox entry and origin of the key of each beginning
-- Gives born, then of each beginning: word, status, request, answer, position, whether Redis
-- vouches for its word, and the entry that it stands behind with whose that is.
-- The words: new, claimed, acked, unsure and ask (PostgreSQL), other (request), full (outbox).
-- The origins: drawn (by us), client, unused (a client's, and PostgreSQL has never seen it), blind
-- (a client's, and PostgreSQL could not tell).

local ENDING, BEGINNING = 8, 10
local outbox, leases, lasts, behind = KEYS[1], KEYS[2], KEYS[4], KEYS[5]
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
vouches.blind = vouches.client

-- The log has the command: its claim says so, and says how it was answered once that is known.
local function ending(claim, at)
  local command, position, answer = ARGV[at], ARGV[at + 2], ARGV[at + 7]
  local held = redis.call('HMGET', claim, 'command', 'state', 'doubt')
  if answer == '' then
    if held[1] == command and held[2] == 'claimed' then
      redis.call('HSET', claim, 'state', held[3] and 'unsure' or 'acked', 'position', position)
    end
  elseif not held[1] or held[1] == command then
    redis.call('HSET', claim, 'state', 'acked', 'command', command, 'payment', ARGV[at + 1],
      'position', position, 'fingerprint', ARGV[at + 3], 'type', ARGV[at + 4],
      'status', ARGV[at + 5], 'request', ARGV[at + 6], 'answer', answer)
    redis.call('HDEL', claim, 'doubt')
    redis.call('PEXPIRE', claim, ARGV[3])
  end
end

local endings = tonumber(ARGV[7])
local ended = {}
for i = 1, endings do
  local at = 8 + ENDING * (i - 1)
  ending(KEYS[5 + i], at)
  local last = redis.call('HGET', lasts, ARGV[at + 1])
  if last and string.match(last, '^%S+') == ARGV[at] then
    redis.call('HDEL', lasts, ARGV[at + 1])
  end
  ended[i] = ARGV[at]
end
if endings > 0 then
  redis.call('HDEL', outbox, unpack(ended))
  redis.call('ZREM', leases, unpack(ended))
  redis.call('HDEL', behind, unpack(ended))
end

-- What is known about a key: its word, and how it was answered.
local function known(claim, fingerprint)
  local held = redis.call('HMGET', claim, 'state', 'fingerprint', 'status', 'request', 'answer',
    'position', 'doubt')
  local word, same, doubt = held[1], held[2] == fingerprint, held[7]
  if word == 'unsure' or (word == 'claimed' and doubt and not same) then
    return 'unsure', {}
  elseif word and not same then
    return 'other', {}
  elseif word == 'claimed' and doubt then
    return word, { false, false, false, held[6] } -- Another body may have been first.
  end
  return word, { held[3], held[4], held[5], held[6] }
end

local waiting = redis.call('HLEN', outbox)

-- Enter the outbox; the entry of the same payment before it, if there is one, and whose it is.
local function enter(claim, at, vouched, place)
  local command, payment = ARGV[at + 1], ARGV[at + 2]
  redis.call('HSET', claim, 'state', 'claimed', 'fingerprint', ARGV[at], 'command', command,
    'payment', payment, 'type', ARGV[at + 3], 'request', ARGV[at + 4], 'at', ARGV[at + 5])
  if ARGV[at + 6] ~= '' then
    redis.call('HSET', claim, 'status', ARGV[at + 6], 'answer', ARGV[at + 7])
  end
  if not vouched then
    redis.call('HSET', claim, 'doubt', '1')
  end
  redis.call('PEXPIRE', claim, ARGV[3])
  redis.call('HSET', outbox, command, ARGV[at + 8])
  redis.call('ZADD', leases, string.format('%.3f', now + ARGV[4] + place / 1000), command)
  local last = redis.call('HGET', lasts, payment)
  redis.call('HSET', lasts, payment, command .. ' ' .. ARGV[6])
  if last and redis.call('HEXISTS', outbox, string.match(last, '^%S+')) == 1 then
    redis.call('HSET', behind, command, string.match(last, '^%S+'))
    return last
  end
  return false
end

local answers = { born }
for i = 1, #KEYS - 5 - endings do
  local claim = KEYS[5 + endings + i]
  local at = 8 + ENDING * endings + BEGINNING * (i - 1)
  local origin = ARGV[at + 9]
  local word, told = known(claim, ARGV[at])
  local before = false
  if not word and origin == 'client' and not vouches.client then
    word = 'ask'
  elseif not word and waiting >= tonumber(ARGV[5]) then
    word = 'full'
  elseif not word then
    word, waiting = 'new', waiting + 1
    before = enter(claim, at, vouches[origin], i)
  end
  table.insert(answers, word)
  for field = 1, 4 do
    table.insert(answers, told[field] or false)
  end
  table.insert(answers, vouches[origin] and 1 or 0)
  table.insert(answers, before)
end
return answers
