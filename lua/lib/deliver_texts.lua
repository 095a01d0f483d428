-- deliver_texts: take a frame of texts for a user into the inbox, as one entry, and publish it to each session that has
-- all before it and is not too far behind; the others get it when they catch up. What became of each text is noted in its
-- `result`. Answers the id of the entry, or nil, and how many older ones were dropped for it.
-- `message` has uid, from, texts, ttl_ms and channel_prefix; `bounds` are the settings as numbers.
-- @include read_hash
-- @include held_seats
-- @include judge_texts
-- @include add_entry
-- @include remember_texts
-- @include send_entry
local function deliver_texts(keys, seat, message, bounds, now)
  local accepted, jsons = {}, {}
  judge_texts(keys.seen, message.from, message.texts, bounds, now)
  for _, text in ipairs(message.texts) do
    if text.result == 'accepted' then
      accepted[#accepted + 1], jsons[#jsons + 1] = text, text.json
    end
  end
  if not accepted[1] then
    return nil, 0
  end
  local delivery = read_hash(keys.delivery)
  local before = tonumber(delivery.last) or 0
  local entry = { kind = 't', from = message.from, at = now, till = now + message.ttl_ms, json = table.concat(jsons, ',') }
  local waiting, dropped = add_entry(keys.inbox, delivery, entry, bounds, now)
  if not waiting then
    for _, text in ipairs(accepted) do
      text.result = 'full'
    end
    redis.call('HSET', keys.delivery, 'bytes', delivery.bytes, 'due', delivery.due)
    return nil, dropped
  end
  local changes, held = remember_texts(keys.seen, delivery, accepted, bounds.dedup_ms, now), held_seats(seat)
  for _, one in ipairs(held) do
    local sent = tonumber(delivery[one.class .. ':sent']) or 0
    if delivery[one.class .. ':sid'] == one.sid and waiting < 32 and (waiting == 0 or sent >= before) then
      send_entry(message.channel_prefix, one, message.uid, entry, sent)
      changes[#changes + 1], changes[#changes + 2] = one.class .. ':sent', entry.id
    end
  end
  redis.call('HSET', keys.delivery, 'last', entry.id, 'bytes', delivery.bytes, 'due', delivery.due, unpack(changes))
  if waiting > 0 or not held[1] then
    -- What a session is about to take needs no deadline.
    redis.call('PEXPIRE', keys.inbox, bounds.inbox_ttl_ms)
  end
  return entry.id, dropped
end
