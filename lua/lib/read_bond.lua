-- read_bond: what `friends` holds about another user. `kind` is its first character: `{` a friend, `~` approved by the
-- owner and not yet confirmed by the other, `-` removed by the owner and the other not yet told, `!` blocked; empty where
-- nothing stands. `since` is the number of the friendship, or up to which number it was removed, else 0: a `!` with a
-- number has still to be told. `fields` are those of a friend.
-- @include read_body
local function read_bond(friends_key, peer)
  local text = redis.call('HGET', friends_key, peer) or ''
  local element = string.match(text, '^~?({.*)$')
  local fields = element and read_body(element) or {}
  local number = fields.since or string.match(text, '^!?%-(%d+)$')
  return { kind = string.sub(text, 1, 1), since = tonumber(number) or 0, fields = fields }
end
