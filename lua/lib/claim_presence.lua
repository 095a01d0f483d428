-- claim_presence: whoever tells what a member of the presence stands for does so alone for ten seconds; then it is due
-- again, should the one have died. Answers until when a call that it makes may take effect, on any shard: a second earlier,
-- as the clocks of two shards may differ.
local function claim_presence(presence_key, member, now)
  redis.call('ZADD', presence_key, now + 10000, member)
  return string.format('%.0f', now + 9000)
end
