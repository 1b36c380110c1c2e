-- Hand out what is due, ready again, and new, in this order of places: by priority, then sequence.
-- ARGV: B, G, group, gateway, how many at most, now in ms.
-- Returns when the next delayed message is due, then member, envelope, body and attempts of each message taken.
local B, G, g, me, most, now = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
for _, z in ipairs({'due', 'again'}) do
  local ripe = redis.call('ZRANGEBYSCORE', G .. z, '-inf', now, 'LIMIT', 0, 1000)
  for _, pid in ipairs(ripe) do
    local p, id = split(pid)
    give(skey(B, p), g, 'free', id)
    redis.call('ZREM', G .. z, pid)
  end
end
local out, taken, scanned = {''}, {}, 0
local later = redis.call('EXISTS', G .. 'due') == 1
local tried = redis.call('EXISTS', G .. 'a') == 1
local function offer(sk, p, entry)
  local id = entry[1]
  local n = string.match(id, '^(%d+)')
  local pid = p .. ':' .. n
  if later and redis.call('ZSCORE', G .. 'due', pid) then
    give(sk, g, 'parked', id)
    return
  end
  local key = g == 'q' and field(entry, 'k')
  if key then
    local holder = redis.call('HGET', G .. 'k', key)
    if holder and holder ~= pid then
      redis.call('RPUSH', G .. 'w:' .. key, pid)
      redis.call('SADD', G .. 'wk', key)
      give(sk, g, 'parked', id)
      return
    end
    redis.call('HSET', G .. 'k', key, pid)
  end
  local f = entry[2]
  out[#out + 1] = pid
  out[#out + 1] = f[2]
  out[#out + 1] = f[4]
  out[#out + 1] = tried and redis.call('HGET', G .. 'a', pid) or '0'
  taken[#taken + 1] = pid
end
for _, p in ipairs(prios(B)) do
  local sk = skey(B, p)
  while #taken < most do
    local free = redis.call('XPENDING', sk, g, '-', '+', most - #taken, 'free')
    if #free == 0 then break end
    local ask = {'XCLAIM', sk, g, me, 0}
    for _, row in ipairs(free) do ask[#ask + 1] = row[1] end
    for _, entry in ipairs(redis.call(unpack(ask))) do
      if entry then offer(sk, p, entry) end
    end
  end
  while #taken < most and scanned < 5000 do
    local got = redis.call('XREADGROUP', 'GROUP', g, me, 'COUNT', most - #taken, 'STREAMS', sk, '>')
    if not got then break end
    scanned = scanned + #got[1][2]
    for _, entry in ipairs(got[1][2]) do offer(sk, p, entry) end
  end
  if #taken >= most then break end
end
local due
for _, z in ipairs({'due', 'again'}) do
  local first = redis.call('ZRANGE', G .. z, 0, 0, 'WITHSCORES')
  if #first > 0 and (not due or tonumber(first[2]) < due) then due = tonumber(first[2]) end
end
out[1] = due and string.format('%.0f', due) or (scanned >= 5000 and now or '')
return out
