-- keeps_claim: whether a claim on a member of the presence, known by what claim_presence answered, is still good: nobody
-- set the score anew, and all calls that were made under it came in time, even by a clock that is a second ahead.
local function keeps_claim(score, claim, now)
  local until_ms = tonumber(claim)
  return until_ms ~= nil and tonumber(score or nil) == until_ms + 1000 and now <= until_ms - 1000
end
