-- user_exists: whether there is a user: one with a profile, or with any other of the keys given, who is not being erased.
local function user_exists(user_key, ...)
  return redis.call('EXISTS', user_key, ...) > 0 and redis.call('HEXISTS', user_key, '|erasing') == 0
end
