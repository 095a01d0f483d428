-- receive v1: texts for a user come in: into the inbox and to the user's sessions, then the sender is answered.
--
-- Runs on the receiver's shard. Run again with the same texts it accepts none a second time, so a sender whose answer was
-- lost may send them again. A text that was accepted leaves the inbox when a session of the receiver acknowledges it.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the receiver
-- @key ticket hash the tickets of the receiver
-- @key user hash profile of the receiver
-- @key friends hash what the receiver has agreed with others
-- @key inbox list messages that the receiver has not got yet
-- @key delivery hash how far the receiver's sessions have got
-- @key seen zset texts that the receiver was sent lately
-- @key talks hash with whom the receiver talked, and when
-- @arg uid text the receiver
-- @arg peer text the sender
-- @arg body text 1017: text_array of content and msgid
-- @arg channel_prefix text what the channel of a node starts with
-- @arg body_max int largest body of a frame
-- @arg senders text friends, or anyone who is not blocked
-- @arg text_max int largest content of a text
-- @arg inbox_max int most messages of an inbox
-- @arg inbox_bytes_max int most bytes of an inbox
-- @arg inbox_ttl_ms int how long a message waits
-- @arg inbox_full text refuse, or drop the oldest
-- @arg dedup_ms int how long a text is known by its msgid
-- @arg not_after int Redis' clock past which calls that follow are refused
-- @effect reply 1018: error, results of the texts, id of the message, how many older ones were dropped for it
-- @effect call befriend or unfriended: the sender may not know yet of a friendship, or of its end
-- @include now_ms
-- @include read_bond
-- @include texts_in
-- @include user_exists
-- @include finish_half
-- @include deliver_texts
-- @include outcome_of
-- @include note_talk
-- @include text_reply
-- @include reply_after
local seat_key, ticket_key, user_key, friends_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local inbox_key, delivery_key, seen_key, talks_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local uid, peer, body, channel_prefix, body_max, senders = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local text_max, inbox_max, inbox_bytes_max, inbox_ttl_ms = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local inbox_full, dedup_ms, not_after = ARGV[11], ARGV[12], ARGV[13]

-- 1. Guard: what was sent, who knows whom.
local texts = texts_in(read_body(body).text_array)
if not texts or not texts[1] then
  return { 1, { 'reply', 1018, '{"error":1001,"reason":"field"}' } }
end
local now, seat, reason = now_ms(), read_hash(seat_key), nil
local mark, half = string.sub(redis.call('HGET', friends_key, peer) or '', 1, 1), nil
if mark ~= '{' then
  half = finish_half(read_bond(friends_key, peer), uid, peer, not_after)
end
if not next(seat) and not user_exists(user_key, ticket_key) then
  reason = 'unknown'
elseif mark == '!' then
  reason = 'blocked'
elseif senders ~= 'anyone' and mark ~= '{' and mark ~= '~' then
  reason = 'no_friend'
end
if reason then
  for _, text in ipairs(texts) do
    text.result = reason
  end
  local code, more = 1011, ''
  if reason ~= 'unknown' then
    code, more = 1102, ',"reason":"' .. reason .. '"'
  end
  return reply_after(half, text_reply(code, peer, uid, texts, tonumber(body_max), more))
end

-- 2. Write.
local bounds = {
  body_max = tonumber(body_max), text_max = tonumber(text_max), dedup_ms = tonumber(dedup_ms), inbox_full = inbox_full,
  inbox_max = tonumber(inbox_max), inbox_bytes_max = tonumber(inbox_bytes_max), inbox_ttl_ms = tonumber(inbox_ttl_ms),
}
local keys = { inbox = inbox_key, delivery = delivery_key, seen = seen_key }
local message = { uid = uid, from = peer, texts = texts, ttl_ms = bounds.inbox_ttl_ms, channel_prefix = channel_prefix }
local id, dropped = deliver_texts(keys, seat, message, bounds, now)
if id then
  note_talk(talks_key, peer, now)
end

-- 3. Answer.
local code, more = outcome_of(texts, id, dropped)
return reply_after(half, text_reply(code, peer, uid, texts, bounds.body_max, more))
