-- One bounded turn of tidying. ARGV: most entries to take, the one lease to sweep or '', TTL in ms,
-- absence in ms (nobody swept for so long: the service was away), remembrance in ms.
-- Gives how many were taken, 1 if there is more, and the signals.
--
-- `awake` lapses if nobody sweeps; if it did while there was something to sweep, gateways could not
-- renew either, and `calm` gives them one TTL to come back before anybody is told that they went.
-- Taking an entry and giving its leave to the caller are one step: that is the claim.
local limit, only, ttl = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local budget, taken, more = limit, 0, 0

if only == '' then
  local something = call('EXISTS', key('leases'), key('holds')) > 0
  if something and call('EXISTS', key('awake')) == 0 then
    call('SET', key('calm'), '1', 'PX', ttl)
  end
  call('SET', key('awake'), '1', 'PX', ARGV[4])
end
local calm = call('EXISTS', key('calm')) == 1

local function tell_leave(row, room, connection, value, others)
  local mode = mode_of(value)
  local whom = connection
  if mode == 'u' then
    if others > 0 then return end
    whom = principal_of(value)
  elseif mode ~= 'c' then
    return
  end
  if not row.closed then
    call('SADD', key('gone', row.gateway), room .. ' ' .. whom)
    call('PEXPIRE', key('gone', row.gateway), ARGV[5])
  end
  tell('L', room, connection, value)
end

local function sweep_lease(row)
  local lease = row.lease
  while budget > 0 do
    local room = call('SRANDMEMBER', key('rooms', lease))
    if not room then break end
    local some = call('HRANDFIELD', key('entries', lease, room), budget)
    if #some == 0 then call('SREM', key('rooms', lease), room) end
    for _, connection in ipairs(some) do
      local value, others = take_entry(lease, room, connection)
      tell_leave(row, room, connection, value, others)
    end
    budget, taken = budget - #some, taken + #some
  end
  if budget > 0 then
    local some = call('HRANDFIELD', key('conns', lease), budget)
    for _, connection in ipairs(some) do take_connection(lease, connection) end
    budget, taken = budget - #some, taken + #some
  end
  if call('EXISTS', key('rooms', lease), key('conns', lease)) == 0 then
    call('HDEL', key('leases'), lease)
    call('HDEL', key('addresses'), lease)
  else
    more = 1
  end
end

for _, row in ipairs(all_leases()) do
  local wanted = only == '' or only == row.lease
  local lapsed = call('EXISTS', key('lease', row.lease)) == 0
  if wanted and lapsed and (row.closed or not calm) then sweep_lease(row) end
end

if only == '' and not calm then
  local due = call('ZRANGEBYSCORE', key('holds'), '-inf', now_ms(), 'LIMIT', 0, limit)
  for _, who in ipairs(due) do
    local held = call('HGET', key('held'), who)
    call('ZREM', key('holds'), who)
    call('HDEL', key('held'), who)
    local room = string.match(who, '^(%S+)')
    if held then
      local connection, value = string.match(held, '^(%S+) (.*)$')
      tell('L', room, connection, value)
    end
  end
  taken = taken + #due
  if #due == limit then more = 1 end
end
return {taken, more, told}
