-- ARGV: lease, gateway, incarnation, TTL in ms, a word for the generation if there is none, what
-- other gateways reach the gateway by or ''.
local lease, gateway, incarnation, ttl, word, address = unpack(ARGV)
call('SET', key('generation'), word, 'NX')
for _, old in ipairs(all_leases()) do
  if old.gateway == gateway and old.lease ~= lease then
    local name = key('lease', old.lease)
    if old.incarnation == incarnation and not old.closed then
      call('HSET', name, 'current', '0')
      call('PEXPIRE', name, ttl)
    elseif call('EXISTS', name) == 1 then
      call('HSET', name, 'current', '0')
    end
  end
end
call('HSET', key('lease', lease), 'current', '1', 'number', '0', 'part', '0',
  'generation', call('GET', key('generation')), 'replication', replication())
call('PEXPIRE', key('lease', lease), ttl)
call('HSET', key('leases'), lease, gateway .. ' ' .. incarnation)
if address ~= '' then call('HSET', key('addresses'), lease, address) end
-- A pod that knows no addresses sweeps a lease and leaves its address.
for _, known in ipairs(call('HKEYS', key('addresses'))) do
  if call('HEXISTS', key('leases'), known) == 0 then call('HDEL', key('addresses'), known) end
end
return 1
