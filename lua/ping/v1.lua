-- ping v1: a node sends a message to itself, to learn whether its channel still carries any.
--
-- It carries the incarnation, so that two processes of one name do not take each other's for their own.
--
-- @since 0.1.0
-- @mode write
-- @arg node text the node
-- @arg incarnation int its incarnation
-- @arg channel_prefix text what the channel of a node starts with
-- @effect reply nothing but that it was sent
local node, incarnation, channel_prefix = ARGV[1], ARGV[2], ARGV[3]

redis.call('PUBLISH', channel_prefix .. node, '{"ping":' .. incarnation .. '}')
return { 1, { 'reply', 0, '{}' } }
