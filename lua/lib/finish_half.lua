-- finish_half: the call that brings to its end what the owner (uid) began with a peer who may not have heard of it; nil
-- where nothing is open. `bond` is what `read_bond` answered. A node may have died between the two calls of a request.
-- @include call_befriend
local function finish_half(bond, uid, peer, not_after)
  if bond.kind == '~' then
    return call_befriend(uid, peer, bond.since, bond.fields.theirs, not_after)
  elseif bond.kind ~= '{' and bond.since > 0 then
    return { 'call', 'unfriended', peer, 'peer', uid, 'since', string.format('%.0f', bond.since) }
  end
end
