-- sorted_page: at most page_max of some names, in their order, after the one at which the page before ended; and the last
-- of them, if there are more.
local function sorted_page(names, cursor, page_max)
  local page, most = {}, tonumber(page_max)
  table.sort(names)
  for _, name in ipairs(names) do
    if name > cursor then
      if #page == most then
        return page, page[most]
      end
      page[#page + 1] = name
    end
  end
  return page, ''
end
