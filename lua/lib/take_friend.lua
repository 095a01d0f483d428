-- take_friend: a peer stands among the friends of a user, by the higher of the number that is known and the one that comes,
-- which is answered. Where that is news the user is told: the sessions by 1015, or else a notice waits in the inbox.
-- @include friend_element
-- @include profile_in
-- @include shown_profile
-- @include tell_seats
-- @include add_notice
local function take_friend(keys, new, bond, now)
  if bond.kind == '{' and bond.since >= new.since then
    return bond.since
  end
  local has_profile = next(profile_in(new.theirs)) ~= nil
  local profile = profile_in(has_profile and new.theirs or bond.fields)
  local back = bond.fields.back or type(new.theirs.back) == 'string' and new.theirs.back
  redis.call('HSET', keys.friends, new.peer, friend_element(new.peer, profile, back, new.since))
  if bond.kind ~= '{' then
    local body = string.format('{"error":0,"fromuid":%s,"touid":%s%s}', wire_uid(new.peer), wire_uid(new.uid),
      shown_profile(profile))
    if tell_seats(keys.seat, new.channel_prefix, 1015, body) == 0 then
      add_notice(keys.inbox, keys.delivery, now, string.format('{"uid":%s,"type":1001,"message":%s,"time":%.0f}',
        wire_uid(new.peer), cjson.encode((profile.name or new.peer) .. ' is your friend now'), now), new.inbox_max)
    end
  end
  return new.since
end
