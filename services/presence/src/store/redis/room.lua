-- Entries of a room under live leases. ARGV: room, most entries.
-- Flat: gateway, connection, value.
if is_empty() then return EMPTY end
if is_unsettled() then return UNSETTLED end
local room, left = ARGV[1], tonumber(ARGV[2])
local out = {}
for _, row in ipairs(all_leases()) do
  if left > 0 and row.live then
    local some = call('HRANDFIELD', key('entries', row.lease, room), left, 'WITHVALUES')
    for i = 1, #some, 2 do
      local n = #out
      out[n + 1], out[n + 2], out[n + 3] = row.gateway, some[i], some[i + 1]
    end
    left = left - #some / 2
  end
end
return out
