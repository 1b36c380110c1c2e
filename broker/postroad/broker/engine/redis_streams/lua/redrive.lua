-- Move dead messages back to where they came from. ARGV: P, B, how many at most, then ids; without ids: the oldest.
local P, B, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local sk, out, chosen = B .. 's', {}, {}
local moved = 0
local function move(entry)
  local id = entry[1]
  local pid = '0:' .. string.match(id, '^(%d+)')
  local who = owner(sk, 'q', id)
  local raw = redis.call('HGET', B .. 'z', pid)
  if (who and who ~= 'free' and who ~= 'parked') or not raw then return end
  local info = cjson.decode(raw)
  local T, n = P .. '{' .. info.of .. '}:', nil
  local stream, group = string.match(info.of, '^(.-)/(.*)$')
  if redis.call('HEXISTS', P .. 'definitions', info.of) == 0 then return end
  if stream then
    T = P .. '{' .. stream .. '}:'
    local _, old = split(info.pid)
    if #redis.call('XCLAIM', T .. 's', group, 'free', 0, old, 'FORCE', 'JUSTID') == 0 then return end
    n = tonumber(string.match(old, '^(%d+)'))
  else
    local header = cjson.decode(field(entry, 'h'))
    n = redis.call('HINCRBY', T .. 'n', 'next', 1)
    local to = skey(T, tostring(header.p or 0))
    local args = {'XADD', to, string.format('%d-0', n), 'h', field(entry, 'h'), 'b', field(entry, 'b')}
    if header.k then args[8] = 'k' args[9] = header.k end
    redis.call(unpack(args))
  end
  redis.call('XACK', sk, 'q', id)
  redis.call('XDEL', sk, id)
  redis.call('HDEL', B .. 'z', pid)
  redis.call('HDEL', B .. 'a', pid)
  moved = moved + 1
  out[#out + 1] = {field(entry, 'h'), info.of, string.format('%d', n - 1)}
end
if #ARGV > 3 then
  for i = 4, #ARGV do
    for _, entry in ipairs(redis.call('XRANGE', sk, ARGV[i], ARGV[i])) do move(entry) end
  end
else
  local at = '-'
  while moved < most do
    local rows = redis.call('XRANGE', sk, at, '+', 'COUNT', 100)
    for _, entry in ipairs(rows) do
      if moved < most then move(entry) end
      at = '(' .. entry[1]
    end
    if #rows < 100 then break end
  end
end
return out
