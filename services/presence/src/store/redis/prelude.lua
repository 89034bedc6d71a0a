-- What every script begins with: the keys, and the few steps that several scripts need.
--
-- KEYS[1] is the root "{prefix}:". All keys begin with it, so they share one hash slot; the rest
-- of a key is put together here, from ids that hold no space. Leases are judged by Redis' own clock.
--
-- leases             hash    lease -> "gateway incarnation" or "gateway incarnation closed"
-- addresses          hash    lease -> what other gateways reach its gateway by; apart from `leases`,
--                            whose values pods of older versions read
-- lease:L            hash    current, number, part, generation, replication; expires with the lease
-- conns:L            hash    connection -> value
-- mine:L             zset    "principal connection", all of score 0: an index by principal
-- rooms:L            set     rooms with entries of L
-- entries:L:ROOM     hash    connection -> value
-- by:L:ROOM          hash    principal -> how many entries in entries:L:ROOM
-- users:ROOM         hash    principal -> how many entries in the room over all leases in `leases`
-- users              hash    principal -> how many connections over all leases in `leases`
-- holds, held        zset, hash  "ROOM principal" -> when due (ms); "connection value"
-- gone:GATEWAY       set     "ROOM connection" or "ROOM principal": leaves told by the sweeper
-- generation         string  made once; gone when Redis lost its data
-- awake, calm        string  see sweep.lua
--
-- A value is the mode (c, u, o; - for a connection itself), the principal (32 hexadecimal digits)
-- and then what only Rust reads.
local root = KEYS[1]
local call = redis.call

local function key(a, b, c)
  if c then return root .. a .. ':' .. b .. ':' .. c end
  if b then return root .. a .. ':' .. b end
  return root .. a
end

local function mode_of(value) return string.sub(value, 1, 1) end
local function principal_of(value) return string.sub(value, 2, 33) end

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Which Redis this is, and which life of its data.
local function replication()
  return string.match(call('INFO', 'replication'), 'master_replid:(%x+)') or ''
end

local function is_live(lease)
  return call('HGET', key('lease', lease), 'current') == '1'
end

-- Without a generation nobody has registered since the store is empty: it may have lost its data
-- this moment, and then nobody knows who is here. Reads refuse instead of answering zero.
local function is_empty() return call('EXISTS', key('generation')) == 0 end
local EMPTY = redis.error_reply('EMPTY no gateway has registered since the store is empty')

-- All leases that were not swept: {lease, gateway, incarnation, closed, live}.
local function all_leases()
  local rows = {}
  local flat = call('HGETALL', key('leases'))
  for i = 1, #flat, 2 do
    local gateway, incarnation, closed = string.match(flat[i + 1], '^(%S+) (%S+) ?(%a*)$')
    rows[#rows + 1] = {
      lease = flat[i], gateway = gateway, incarnation = incarnation,
      closed = closed == 'closed', live = is_live(flat[i]),
    }
  end
  return rows
end

-- Nobody swept for a while, so gateways could not renew their leases either, and one that had a
-- lease has none: it may be about to register again, and until then a count would be too low.
-- Ends when all have come back, or when the sweeper takes those that did not.
local function is_unsettled()
  if call('EXISTS', key('awake')) == 1 and call('EXISTS', key('calm')) == 0 then return false end
  local here, away = {}, {}
  for _, row in ipairs(all_leases()) do
    if row.live then
      here[row.gateway] = true
    elseif not row.closed then
      away[#away + 1] = row.gateway
    end
  end
  for _, gateway in ipairs(away) do
    if not here[gateway] then return true end
  end
  return false
end
local UNSETTLED = redis.error_reply('UNSETTLED gateways have not registered again')

local function decrease(name, field)
  local left = call('HINCRBY', name, field, -1)
  if left <= 0 then call('HDEL', name, field) end
  return left
end

-- Takes an entry out. Gives its value and how many entries its principal still has in the room.
local function take_entry(lease, room, connection)
  local entries = key('entries', lease, room)
  local value = call('HGET', entries, connection)
  if not value then return nil end
  call('HDEL', entries, connection)
  if call('EXISTS', entries) == 0 then call('SREM', key('rooms', lease), room) end
  local principal = principal_of(value)
  decrease(key('by', lease, room), principal)
  return value, decrease(key('users', room), principal)
end

local function take_connection(lease, connection)
  local value = call('HGET', key('conns', lease), connection)
  if not value then return false end
  local principal = principal_of(value)
  call('HDEL', key('conns', lease), connection)
  call('ZREM', key('mine', lease), principal .. ' ' .. connection)
  decrease(key('users'), principal)
  return true
end

-- Signals to be told, flat: kind (J or L), room, connection, value.
local told = {}
local function tell(kind, room, connection, value)
  local n = #told
  told[n + 1], told[n + 2], told[n + 3], told[n + 4] = kind, room, connection, value
end
