-- verify v3: hold one live session against its seat, and mend what differs.
--
-- fine: it holds the seat, and is told its rank if it knows a lower one (a moved incarnation, a missing roster entry and
-- a rank that the store forgot are put right). closed: a claim of higher
-- rank holds it, or it has ended. repaired: the store forgot it, reaped it by mistake, or let a lower rank in.
--
-- Messages that wait in the inbox are published once more, as they may have been lost on a dead channel: what the session
-- has it drops.
--
-- @since 0.1.0
-- @mode write
-- @key seat hash who holds the seats of the user
-- @key ticket hash the tickets of the user, two slots per class
-- @key roster zset all sessions of the shard, ordered by node
-- @key trail list the last events of the user's seats
-- @key presence zset users of the shard of whom something has yet to be told
-- @key events stream what happened to the seats of the shard
-- @key inbox list messages that the user has not got yet
-- @key delivery hash how far the user's sessions were sent them
-- @arg node text node of the session
-- @arg incarnation int incarnation of that node, now
-- @arg sid text the session
-- @arg uid text the user
-- @arg class text its device class
-- @arg epoch int epoch that the session knows
-- @arg number int number of its ticket
-- @arg token_digest text digest of its ticket
-- @arg ttl_ms int how long a ticket is good while nobody holds the seat
-- @arg address text address of the client
-- @arg not_after int Redis' milliseconds past which nothing is seated
-- @arg channel_prefix text what the channel of a node starts with
-- @arg trail_max int events kept
-- @arg version text this script's name and version
-- @arg features text what the client understands
-- @arg events_max int events of the shard that are kept
-- @effect bind the rank of the seat, where it is not the one given: it was taken back, or an answer was lost
-- @effect kick this session, or the lower rank that sat on its seat
-- @effect reply the outcome: fine, repaired, closed or late
-- @include now_ms
-- @include read_hash
-- @include has_ended
-- @include outranks
-- @include take_back
-- @include displace
-- @include note_seated
-- @include resend_inbox
-- @change v2 tells a session that it was displaced also where its taker has left meanwhile.
-- @change v3 notes whom friends have to be told of, and events; publishes again what waits in the inbox.
local seat_key, ticket_key, roster_key, trail_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local presence_key, events_key, inbox_key, delivery_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local node, incarnation, sid, uid, class = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local epoch, number, token_digest, ttl_ms, address = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local not_after, channel_prefix, trail_max, version = ARGV[11], ARGV[12], ARGV[13], ARGV[14]
local features, events_max = ARGV[15], ARGV[16]

local function answer(outcome, first, second)
  return { 1, { 'reply', 0, cjson.encode({ outcome = outcome }) }, first, second }
end

-- 1. Read.
local now = now_ms()
local seat, ticket, c = read_hash(seat_key), read_hash(ticket_key), class .. ':'
local holder = holder_of(seat, class)
local mine = {
  node = node, incarnation = incarnation, sid = sid, uid = uid, class = class, epoch = epoch, number = number,
  token_digest = token_digest, ttl_ms = ttl_ms, address = address, version = version, trail_max = trail_max,
  channel_prefix = channel_prefix, now = now, features = features, events_max = events_max,
}

-- 2. Decide.
local is_first = holder ~= sid and outranks(seat, class, number, epoch)
local was_reaped = not holder and seat[c .. 'end'] == 'reaped' and seat[c .. 'sid'] == sid and seat[c .. 'epoch'] == epoch
local has_lost = not was_reaped and (has_ended(seat, class, sid) or not is_first)
if holder ~= sid and has_lost then
  local taker = {
    class = class, address = seat[c .. 'address'], at = tonumber(seat[c .. 'since']), epoch = tonumber(seat[c .. 'epoch']),
    version = version,
  }
  local reason = holder and (seat[c .. 'number'] == number and 'resumed' or 'displaced') or seat[c .. 'end']
  if holder then
    return answer('closed', displace(channel_prefix, node, uid, sid, reason, taker))
  end
  local void = c .. 'void'
  if ticket[void] == token_digest and ticket[void .. '_reason'] == 'displaced' then
    -- Whoever took the seat has left; the ticket that was voided then remembers who it was, longer than the seat does.
    taker.address, taker.at = ticket[void .. '_by'], tonumber(ticket[void .. '_at'])
    taker.epoch = taker.epoch or tonumber(epoch)
    return answer('closed', displace(channel_prefix, node, uid, sid, 'displaced', taker))
  end
  local known = (reason == 'expired' or reason == 'kicked') and reason or 'internal'
  return answer('closed', { 'kick', sid, known, 1101, cjson.encode({ error = 0, reason = known, script = version }) })
end
if now > tonumber(not_after) then
  return answer('late')
end

-- 3. Mend.
local is_known = seat[c .. 'number'] == number and seat[c .. 'epoch'] == epoch
local whole = holder == sid and seat[c .. 'node'] == node and seat[c .. 'incarnation'] == incarnation
  and ticket[c .. 'held'] and not outranks(seat, class, number, epoch)
  and redis.call('ZSCORE', roster_key, roster_entry(node, incarnation, uid, class, sid))
local keys = {
  seat = seat_key, ticket = ticket_key, roster = roster_key, trail = trail_key, presence = presence_key, events = events_key,
}
local bind, kick
if not whole then
  bind, kick = take_back(keys, seat, ticket, mine, now)
elseif not is_known then
  -- The answer that gave it a higher rank may have been lost.
  bind = { 'bind', uid, class, tonumber(seat[c .. 'number']), tonumber(seat[c .. 'epoch']) }
end
note_seated(keys, seat, mine, not whole and 'verified' or nil, kick and holder)
resend_inbox(inbox_key, delivery_key, channel_prefix, mine, uid, now)
return answer(whole and 'fine' or 'repaired', bind, kick)
