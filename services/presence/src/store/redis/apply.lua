-- One part of a batch, whole or not at all.
--
-- ARGV: lease, number, part (1, 2, 3), 1 if it is the last part, 1 if joins are announced, how long
-- a leave is held in ms; then the changes, flat:
--   C connection value | D connection | E room connection value | L room connection (c or l)
-- Gives 0 if the lease is lost, else 1 and the signals.
local lease, number, part = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local last, announce, hold_ms = ARGV[4] == '1', ARGV[5] == '1', tonumber(ARGV[6])
local name = key('lease', lease)
local row = call('HMGET', name, 'current', 'number', 'part')
local known = call('HGET', key('leases'), lease)
if row[1] ~= '1' or not known then return {0, told} end

-- `number` is the last batch that was begun; `part` its last part, 0 once it is whole.
local at_number, at_part = tonumber(row[2]), tonumber(row[3])
if number < at_number or (number == at_number and (at_part == 0 or part <= at_part)) then
  return {1, told}
end
local goes_on = number == at_number and part == at_part + 1
local begins = number == at_number + 1 and at_part == 0 and part == 1
if not (goes_on or begins) then return {0, told} end
call('HSET', name, 'number', number, 'part', last and 0 or part)

local gateway = string.match(known, '^(%S+)')
local older = {}
for _, other in ipairs(all_leases()) do
  if other.gateway == gateway and other.lease ~= lease then older[#older + 1] = other.lease end
end
local gone = key('gone', gateway)
local any_gone = call('EXISTS', gone) == 1
local function was_gone(what) return any_gone and call('SREM', gone, what) == 1 end

local function connected(connection, value)
  if call('HSETNX', key('conns', lease), connection, value) == 0 then return end
  local principal = principal_of(value)
  call('ZADD', key('mine', lease), 0, principal .. ' ' .. connection)
  call('HINCRBY', key('users'), principal, 1)
  for _, old in ipairs(older) do take_connection(old, connection) end
end

local function entered(room, connection, value)
  if call('HSETNX', key('entries', lease, room), connection, value) == 0 then return end
  local mode, principal = mode_of(value), principal_of(value)
  call('SADD', key('rooms', lease), room)
  call('HINCRBY', key('by', lease, room), principal, 1)
  local first = call('HINCRBY', key('users', room), principal, 1) == 1
  for _, old in ipairs(older) do
    if take_entry(old, room, connection) then return end
  end
  if mode == 'c' then
    if was_gone(room .. ' ' .. connection) or announce then tell('J', room, connection, value) end
  elseif mode == 'u' and first then
    local who = room .. ' ' .. principal
    if call('ZREM', key('holds'), who) == 1 then
      call('HDEL', key('held'), who)
    elseif was_gone(who) or announce then
      tell('J', room, connection, value)
    end
  end
end

local function left(room, connection, departure)
  local value, others = take_entry(lease, room, connection)
  if not value then return end
  local mode = mode_of(value)
  if mode == 'c' then
    tell('L', room, connection, value)
  elseif mode == 'u' and others <= 0 then
    if departure == 'c' then
      tell('L', room, connection, value)
    else
      local who = room .. ' ' .. principal_of(value)
      call('ZADD', key('holds'), now_ms() + hold_ms, who)
      call('HSET', key('held'), who, connection .. ' ' .. value)
    end
  end
end

local i = 7
while i <= #ARGV do
  local what = ARGV[i]
  if what == 'C' then
    connected(ARGV[i + 1], ARGV[i + 2])
    i = i + 3
  elseif what == 'D' then
    take_connection(lease, ARGV[i + 1])
    i = i + 2
  elseif what == 'E' then
    entered(ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
    i = i + 4
  else
    left(ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
    i = i + 4
  end
end
return {1, told}
