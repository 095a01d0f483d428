-- roll_call v1: the sessions of a user learn which friends are on line, from the answers of a page of them.
--
-- Nothing is told where the claim under which they were asked is over, or where they are to be asked again.
--
-- @since 0.1.0
-- @mode repeat
-- @key seat hash who holds the seats of the user
-- @key presence zset users of the shard of whom something has yet to be told
-- @arg uid text the user
-- @arg body text list of what tell answered
-- @arg channel_prefix text what the channel of a node starts with
-- @arg body_max int largest body of a frame
-- @effect reply told: how many friends are on line
-- @include now_ms
-- @include read_hash
-- @include held_seats
-- @include read_body
-- @include send_frame
-- @include presence_frame
-- @include answer
-- @include keeps_claim
local seat_key, presence_key = KEYS[1], KEYS[2]
local uid, body, channel_prefix, body_max = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- 1. Read: who is on line. A new question (`=`) makes all answers to older ones void.
local now, friends = now_ms(), {}
local scores = redis.call('ZMSCORE', presence_key, '=' .. uid, '~' .. uid)
for _, friend in ipairs(read_body(body)) do
  if type(friend) == 'table' and friend.online == true and keeps_claim(scores[1] or scores[2], friend.claim, now) then
    friends[#friends + 1] = friend
  end
end

-- 2. For clients that read many in one frame: as few as hold them.
local head = string.format('{"error":0,"type":1003,"message":"","status":1,"time":%.0f,"friends":[', now)
local frames, items, size = {}, {}, 0
local function close_frame()
  frames[#frames + 1] = head .. table.concat(items, ',') .. ']}'
  items, size = {}, 0
end
for _, friend in ipairs(friends) do
  local item = string.format('{"uid":%s,"status":1,"time":%.0f,"icon":%s}', wire_uid(friend.uid), now,
    cjson.encode(friend.icon or ''))
  if size > 0 and #head + size + #item + 2 > (tonumber(body_max) or math.huge) then
    close_frame()
  end
  items[#items + 1], size = item, size + #item + 1
end
if size > 0 then
  close_frame()
end

-- 3. Tell each session in the way that its client understands.
for _, seat in ipairs(held_seats(read_hash(seat_key))) do
  local reads_many = string.find(',' .. seat.features .. ',', ',batch,', 1, true)
  for _, frame in ipairs(reads_many and frames or {}) do
    send_frame(channel_prefix, seat.node, seat.sid, 1025, frame)
  end
  for _, friend in ipairs(reads_many and {} or friends) do
    send_frame(channel_prefix, seat.node, seat.sid, 1025, presence_frame(friend.uid, true, friend.name, friend.icon, now))
  end
end
return answer({ told = #friends })
