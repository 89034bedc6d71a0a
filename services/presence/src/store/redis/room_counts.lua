-- Connections and distinct principals of a room under live leases. ARGV: room.
--
-- Connections: one HLEN a lease. Principals: one HLEN for the room, less those whose entries all
-- lie under leases that are not live; these are looked through only while there are such leases,
-- which is until they are swept. Measured with 25,000 in the room on 10 gateways: 0.06 ms, and
-- 3.5 ms while one of the leases is dead.
if is_empty() then return EMPTY end
if is_unsettled() then return UNSETTLED end
local room = ARGV[1]
local connections, dead = 0, {}
for _, row in ipairs(all_leases()) do
  if row.live then
    connections = connections + call('HLEN', key('entries', row.lease, room))
  else
    local flat = call('HGETALL', key('by', row.lease, room))
    for i = 1, #flat, 2 do dead[flat[i]] = (dead[flat[i]] or 0) + tonumber(flat[i + 1]) end
  end
end
local principals = call('HLEN', key('users', room))
for principal, count in pairs(dead) do
  if tonumber(call('HGET', key('users', room), principal) or 0) <= count then
    principals = principals - 1
  end
end
return {connections, principals}
