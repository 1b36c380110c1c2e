-- Carry out what a gateway says of messages that it holds; what it does not hold any more is returned as lost.
-- ARGV: what is to be done (JSON, see feed.py), then envelopes and bodies of the publishes of completions, where each meta's `at` says.
local m = cjson.decode(ARGV[1])
local B, G, g, lost = m.B, m.G, m.g, {}
if not redis.call('ZSCORE', m.P .. 'nodes', m.me) then return {'gone'} end
local isqueue = g == 'q'
local gone = {}
local acked, dead = 0, 0
local tried = redis.call('EXISTS', G .. 'a') == 1
local function drop(pid)
  local p, id = split(pid)
  local sk = skey(B, p)
  if redis.call('XACK', sk, g, id) == 0 then
    if not (m.again and #redis.call('XRANGE', sk, id, id) == 0) then lost[#lost + 1] = pid end
    return false
  end
  if isqueue then
    local here = gone[sk]
    if not here then here = {} gone[sk] = here end
    here[#here + 1] = id
  end
  if tried then redis.call('HDEL', G .. 'a', pid) end
  if m.infos then redis.call('HDEL', B .. 'z', pid) end
  local key = m.keys[pid]
  if key then unkey(B, G, g, pid, key) end
  return true
end
for _, item in ipairs(m.completions) do
  for _, send in ipairs(item[2]) do
    local no = refusal(send)
    if no then return no end
  end
end
local stored = {}
for _, item in ipairs(m.completions) do
  if drop(item[1]) then
    acked = acked + 1
    local firsts = {}
    for _, send in ipairs(item[2]) do firsts[#firsts + 1] = publish(send, send.at) end
    stored[#stored + 1] = cjson.encode(firsts)
  else
    stored[#stored + 1] = '[]'
  end
end
for _, pid in ipairs(m.acks) do if drop(pid) then acked = acked + 1 end end
for _, item in ipairs(m.dead) do
  local pid, T = item[1], item[2]
  local p, id = split(pid)
  local found = redis.call('XRANGE', skey(B, p), id, id)
  if drop(pid) and #found > 0 then
    local n = redis.call('HINCRBY', T .. 'n', 'next', 1)
    redis.call('XADD', T .. 's', string.format('%d-0', n), 'h', field(found[1], 'h'), 'b', field(found[1], 'b'))
    redis.call('HSET', T .. 'z', string.format('0:%d', n), item[3])
    redis.call('HINCRBY', T .. 'n', 'published', 1)
    dead = dead + 1
  end
end
for sk, ids in pairs(gone) do
  for i = 1, #ids, 1000 do redis.call('XDEL', sk, unpack(ids, i, math.min(i + 999, #ids))) end
end
local function back(pid, who)
  local p, id = split(pid)
  local sk = skey(B, p)
  if owner(sk, g, id) == m.me and give(sk, g, who, id) then return true end
  if not m.again then lost[#lost + 1] = pid end
  return false
end
for _, pid in ipairs(m.releases) do back(pid, 'free') end
for _, item in ipairs(m.returns) do
  local pid, due = item[1], item[3]
  if back(pid, due > 0 and 'parked' or 'free') then
    redis.call('HSET', G .. 'a', pid, item[2])
    if due > 0 then redis.call('ZADD', G .. 'again', due, pid) end
  end
end
local nk = isqueue and B .. 'n' or G .. 'n'
if acked > 0 then redis.call('HINCRBY', nk, 'acked', acked) end
if dead > 0 then redis.call('HINCRBY', nk, 'dead', dead) end
if #m.returns > 0 then redis.call('HINCRBY', nk, 'retried', #m.returns) end
return {'ok', lost, stored}
