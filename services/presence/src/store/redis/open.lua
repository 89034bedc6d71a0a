-- ARGV: lease, gateway, incarnation, TTL in ms, a word for the generation if there is none.
local lease, gateway, incarnation, ttl, word = unpack(ARGV)
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
return 1
