-- refuse_friend: why a user does not become the friend of a peer who approved, as code and reason; nil where nothing is
-- in the way. A number that is refused once stays refused, so that a second call cannot succeed.
-- @include user_exists
-- @include ended_until
-- @include has_room
-- @include note_ended
local function refuse_friend(keys, peer, bond, number, friends_max, now)
  local code, reason
  if not user_exists(keys.user, keys.seat, keys.ticket, keys.friends) then
    return 1011, 'unknown'
  elseif bond.kind == '!' then
    code, reason = 1102, 'blocked'
  elseif bond.kind == '{' or bond.kind == '~' then
    return
  elseif not has_room(keys.friends, '^~?{', friends_max) then
    code, reason = 1106, 'friends'
  elseif number <= math.max(bond.since, ended_until(keys.friends, peer)) then
    code, reason = 1102, 'no_application'
  end
  if code then
    note_ended(keys.friends, peer, number, now)
  end
  return code, reason
end
