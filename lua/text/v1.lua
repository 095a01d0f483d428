-- text v1: a user sends texts to another.
--
-- Runs on the sender's shard: whether the sender may is decided here, whether the receiver takes them by `receive`, on
-- the shard of that one, which answers the client.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key friends hash what the user has agreed with others
-- @key talks hash with whom the user talked, and when
-- @arg uid text the sender
-- @arg sid text the sender's session
-- @arg class text its device class
-- @arg body text 1017: touid, text_array of content and msgid
-- @arg senders text friends, or anyone who is not blocked
-- @arg body_max int largest body of a frame
-- @arg not_after int Redis' clock past which calls that follow are refused
-- @effect reply 1018, where nothing is sent
-- @effect call receive; befriend or unfriended: the other may not know yet of a friendship, or of its end
-- @effect verify the session does not hold its seat
-- @include is_seated
-- @include read_bond
-- @include uid_in
-- @include texts_in
-- @include now_ms
-- @include note_talk
-- @include text_reply
-- @include finish_half
-- @include reply_after
local seat_key, friends_key, talks_key = KEYS[1], KEYS[2], KEYS[3]
local uid, sid, class, body, senders = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local body_max, not_after = ARGV[6], ARGV[7]

-- 1. Guard.
if not is_seated(seat_key, class, sid) then
  return { 1, { 'verify' } }
end
local fields = read_body(body)
local peer, texts = uid_in(fields.touid), texts_in(fields.text_array)
if not peer or not texts then
  return { 1, { 'reply', 1018, '{"error":1001,"reason":"field"}' } }
end

local function refusal(reason)
  for _, text in ipairs(texts) do
    text.result = reason
  end
  return text_reply(1102, uid, peer, texts, tonumber(body_max), ',"reason":"' .. reason .. '"')
end

-- 2. Read and decide.
if peer == uid then
  return { 1, refusal('self') }
end
local mark, half = string.sub(redis.call('HGET', friends_key, peer) or '', 1, 1), nil
if mark ~= '{' then
  half = finish_half(read_bond(friends_key, peer), uid, peer, not_after)
end
if mark == '!' then
  return reply_after(half, refusal('blocked'))
elseif senders ~= 'anyone' and mark ~= '{' and mark ~= '~' then
  return reply_after(half, refusal('no_friend'))
elseif not texts[1] then
  return { 1, text_reply(0, uid, peer, texts, tonumber(body_max), '') }
end

-- 3. Write, and hand over.
note_talk(talks_key, peer, now_ms())
return reply_after(half, { 'call', 'receive', peer, 'peer', uid, 'body', body })
