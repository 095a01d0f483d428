-- post v1: the backend sends a user a text.
--
-- It is treated like the text of another user, save that no friendship is asked for. The same msgid from the same sender
-- is accepted once.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the receiver
-- @key ticket hash the tickets of the receiver
-- @key user hash profile of the receiver
-- @key inbox list messages that the receiver has not got yet
-- @key delivery hash how far the receiver's sessions have got
-- @key seen zset texts that the receiver was sent lately
-- @key talks hash with whom the receiver talked, and when
-- @arg uid text the receiver
-- @arg peer text in whose name
-- @arg body text content, msgid, and perhaps ttl_ms: how long it waits, if shorter than inbox_ttl_ms
-- @arg channel_prefix text what the channel of a node starts with
-- @arg body_max int largest body of a frame
-- @arg text_max int largest content of a text
-- @arg inbox_max int most messages of an inbox
-- @arg inbox_bytes_max int most bytes of an inbox
-- @arg inbox_ttl_ms int how long a message waits
-- @arg inbox_full text refuse, or drop the oldest
-- @arg dedup_ms int how long a text is known by its msgid
-- @effect reply error, result, id of the message, how many older ones were dropped for it
-- @include now_ms
-- @include read_hash
-- @include read_body
-- @include texts_in
-- @include user_exists
-- @include deliver_texts
-- @include outcome_of
-- @include note_talk
local seat_key, ticket_key, user_key = KEYS[1], KEYS[2], KEYS[3]
local inbox_key, delivery_key, seen_key, talks_key = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local uid, peer, body, channel_prefix, body_max, text_max = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local inbox_max, inbox_bytes_max, inbox_ttl_ms, inbox_full = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local dedup_ms = ARGV[11]

-- 1. Guard.
local fields, most = read_body(body), tonumber(inbox_ttl_ms)
local texts, ttl_ms = texts_in({ fields }), fields.ttl_ms or most
if not texts or not string.find(peer, '^[^|]+$') or type(ttl_ms) ~= 'number' or not (ttl_ms >= 1) then
  return { 1, { 'reply', 0, '{"error":1001,"reason":"field"}' } }
end
local now, seat = now_ms(), read_hash(seat_key)
if not next(seat) and not user_exists(user_key, ticket_key) then
  return { 1, { 'reply', 0, '{"error":1011,"result":"unknown"}' } }
end

-- 2. Write.
local bounds = {
  body_max = tonumber(body_max), text_max = tonumber(text_max), dedup_ms = tonumber(dedup_ms), inbox_full = inbox_full,
  inbox_max = tonumber(inbox_max), inbox_bytes_max = tonumber(inbox_bytes_max), inbox_ttl_ms = most,
}
local keys = { inbox = inbox_key, delivery = delivery_key, seen = seen_key }
local message = {
  uid = uid, from = peer, texts = texts, ttl_ms = math.floor(math.min(ttl_ms, most)), channel_prefix = channel_prefix,
}
local id, dropped = deliver_texts(keys, seat, message, bounds, now)
if id then
  note_talk(talks_key, peer, now)
end

-- 3. Answer.
local code, more = outcome_of(texts, id, dropped)
return { 1, { 'reply', 0, string.format('{"error":%d,"result":"%s"%s}', code, texts[1].result, more) } }
