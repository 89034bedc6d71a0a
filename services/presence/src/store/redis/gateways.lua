-- Live leases. Flat: gateway, incarnation, connections, what other gateways reach it by or ''.
if is_empty() then return EMPTY end
local out = {}
for _, row in ipairs(all_leases()) do
  if row.live then
    local n = #out
    out[n + 1], out[n + 2] = row.gateway, row.incarnation
    out[n + 3] = tostring(call('HLEN', key('conns', row.lease)))
    out[n + 4] = call('HGET', key('addresses'), row.lease) or ''
  end
end
return out
