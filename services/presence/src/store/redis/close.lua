-- ARGV: lease.
local row = call('HGET', key('leases'), ARGV[1])
if row and not string.find(row, ' closed$') then
  call('HSET', key('leases'), ARGV[1], row .. ' closed')
end
call('DEL', key('lease', ARGV[1]))
return 1
