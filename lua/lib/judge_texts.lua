-- judge_texts: what is to become of each text of a frame, noted in `result`: accepted, duplicate (its sender's msgid was
-- accepted already, within dedup_ms or in this frame) or too_large (for the setting, or for a frame to the receiver).
-- Those accepted get their JSON and their member of `seen`.
-- @include text_json
local function judge_texts(seen_key, from, texts, bounds, now)
  local members, taken, room = {}, {}, bounds.body_max - 512
  for i, text in ipairs(texts) do
    members[i] = string.sub(redis.sha1hex(from .. '|' .. text.msgid), 1, 16)
  end
  local scores = redis.call('ZMSCORE', seen_key, unpack(members))
  for i, text in ipairs(texts) do
    text.member, text.json, text.result = members[i], text_json(text), 'accepted'
    if taken[text.member] or scores[i] and tonumber(scores[i]) > now - bounds.dedup_ms then
      text.result = 'duplicate'
    elseif #text.content > bounds.text_max or #text.json >= room then
      text.result = 'too_large'
    else
      taken[text.member], room = true, room - #text.json - 1
    end
  end
end
