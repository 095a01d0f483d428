-- call_befriend: the call by which a user who approved becomes the friend of the other one. `theirs` is the approver as
-- the other one is to have it: profile and remark. Where a client waits for 1014, the reason is `approve`.
local function call_befriend(uid, peer, since, theirs, not_after, reason)
  return { 'call', 'befriend', peer, 'peer', uid, 'since', string.format('%.0f', since),
    'body', cjson.encode({ theirs = theirs }), 'not_after', not_after, 'reason', reason or '' }
end
