-- read_release: what is known of a version, after its text was held against its digest. Answers the release, or nil
-- and the word for what is wrong.
local function read_release(releases_key, sources_key, label)
  local release, source = redis.call('HGET', releases_key, label), redis.call('HGET', sources_key, label)
  if not release then
    return nil, 'unknown'
  end
  local is_json, known = pcall(cjson.decode, release)
  local is_whole = is_json and type(known) == 'table' and type(known.tests) == 'table' and type(known.contract) == 'table'
  local has_text, kept = pcall(cjson.decode, source or '')
  if not is_whole or not has_text or redis.sha1hex(kept.text) ~= known.digest then
    return nil, 'damaged'
  end
  return known
end
