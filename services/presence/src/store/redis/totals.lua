-- Connections, distinct principals and gateways of live leases. Costs as room_counts.lua does.
if is_empty() then return EMPTY end
if is_unsettled() then return UNSETTLED end
local connections, gateways, dead = 0, 0, {}
for _, row in ipairs(all_leases()) do
  if row.live then
    gateways = gateways + 1
    connections = connections + call('HLEN', key('conns', row.lease))
  else
    for _, pair in ipairs(call('ZRANGE', key('mine', row.lease), 0, -1)) do
      local principal = string.sub(pair, 1, 32)
      dead[principal] = (dead[principal] or 0) + 1
    end
  end
end
local principals = call('HLEN', key('users'))
for principal, count in pairs(dead) do
  if tonumber(call('HGET', key('users'), principal) or 0) <= count then
    principals = principals - 1
  end
end
return {connections, principals, gateways}
