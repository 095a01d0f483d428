-- record_of: what the directory noted of a node, as a table, with what a record of version 1 leaves out; nil where
-- nothing was noted, or nothing that can be read.
local function record_of(text)
  local is_json, record = pcall(cjson.decode, text or '')
  local is_record = is_json and type(record) == 'table' and type(record.address) == 'string'
  if not is_record or type(record.incarnation) ~= 'number' then
    return nil
  end
  record.count, record.capacity = tonumber(record.count) or 0, tonumber(record.capacity) or 0
  record.weight, record.zone = tonumber(record.weight) or 100, record.zone or ''
  record.lease_ms, record.over_ms = tonumber(record.lease_ms) or 10000, tonumber(record.over_ms) or 0
  record.reserved = type(record.reserved) == 'table' and record.reserved or {}
  return record
end
