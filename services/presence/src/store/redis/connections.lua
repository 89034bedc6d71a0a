-- Connections of a principal under live leases. ARGV: principal, most connections.
-- Flat: gateway, connection, value.
if is_empty() then return EMPTY end
if is_unsettled() then return UNSETTLED end
local principal, left = ARGV[1], tonumber(ARGV[2])
local out = {}
for _, row in ipairs(all_leases()) do
  if left > 0 and row.live then
    local pairs_of = call('ZRANGEBYLEX', key('mine', row.lease),
      '[' .. principal .. ' ', '(' .. principal .. '!', 'LIMIT', 0, left)
    for _, pair in ipairs(pairs_of) do
      local connection = string.sub(pair, 34)
      local value = call('HGET', key('conns', row.lease), connection)
      local n = #out
      if value then out[n + 1], out[n + 2], out[n + 3] = row.gateway, connection, value end
    end
    left = left - #pairs_of
  end
end
return out
