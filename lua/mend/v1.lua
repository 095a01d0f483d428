-- mend v1: a page of the halves of a user, each as the call that finishes it.
--
-- A request that concerns two users runs one script after the other; if the node dies between them a half stays. It is
-- asked for after a login.
--
-- @since 0.1.0
-- @mode read
-- @key friends hash what the user has agreed with others
-- @arg uid text the user
-- @arg cursor text where the page before ended, empty at the start
-- @arg page_max int most halves of this page
-- @arg not_after int Redis' clock past which the calls are refused
-- @effect call befriend or unfriended, for each half
-- @effect reply the cursor of the next page, empty with the last
-- @include read_bond
-- @include finish_half
local friends_key = KEYS[1]
local uid, cursor, page_max, not_after = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local all, halves = redis.call('HGETALL', friends_key), {}
for i = 1, #all, 2 do
  local is_half = string.find(all[i + 1], '^~{') or string.find(all[i + 1], '^!?%-%d+$')
  if is_half and all[i] > cursor then
    halves[#halves + 1] = all[i]
  end
end
table.sort(halves)

local effects, max = { 1 }, tonumber(page_max)
for i = 1, math.min(#halves, max) do
  effects[#effects + 1] = finish_half(read_bond(friends_key, halves[i]), uid, halves[i], not_after)
end
local more = #halves > max and halves[max] or ''
effects[#effects + 1] = { 'reply', 0, cjson.encode({ cursor = more }) }
return effects
