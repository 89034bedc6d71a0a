-- ARGV: lease, TTL in ms. 1 if it holds, 0 if it is lost.
local name = key('lease', ARGV[1])
local row = call('HMGET', name, 'current', 'generation', 'replication')
if row[1] ~= '1' then return 0 end
if row[2] ~= call('GET', key('generation')) then return 0 end
if row[3] ~= replication() then return 0 end
if call('HEXISTS', key('leases'), ARGV[1]) == 0 then return 0 end
call('PEXPIRE', name, ARGV[2])
return 1
