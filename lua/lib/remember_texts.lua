-- remember_texts: note the msgids that were accepted, so that none is accepted again within dedup_ms. A user's set is
-- trimmed not with each text but once in a while: to dedup_ms and 1000 texts. Answers fields for the delivery hash.
local function remember_texts(seen_key, delivery, texts, dedup_ms, now)
  local members = {}
  for _, text in ipairs(texts) do
    members[#members + 1], members[#members + 2] = now, text.member
  end
  redis.call('ZADD', seen_key, unpack(members))
  local count, trimmed = (tonumber(delivery.count) or 0) + #texts, tonumber(delivery.trimmed) or 0
  if count >= 100 or now < trimmed or now - trimmed >= dedup_ms then
    redis.call('ZREMRANGEBYSCORE', seen_key, '-inf', now - dedup_ms)
    redis.call('ZREMRANGEBYRANK', seen_key, 0, -1001)
    -- Twice as long, so that the last text before the next trimming is known for long enough, too.
    redis.call('PEXPIRE', seen_key, 2 * dedup_ms)
    count, trimmed = 0, now
  end
  return { 'count', count, 'trimmed', trimmed }
end
