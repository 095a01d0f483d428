-- read_release: what is known of a version, after its text was held against its digest. Answers the release, or nil
-- and the word for what is wrong.
local function read_release(releases_key, sources_key, label)
  local release, source = redis.call('HGET', releases_key, label), redis.call('HGET', sources_key, label)
  if not release then
    return nil, 'unknown'
  end
  release = cjson.decode(release)
  if not source or redis.sha1hex(cjson.decode(source).text) ~= release.digest then
    return nil, 'damaged'
  end
  return release
end
