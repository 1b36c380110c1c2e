"""What Redis does for us in one step: Lua, so that each is all or nothing.

Keys, under a prefix that ends in ``:`` (``P``)::

    P definitions      hash: name → definition            P events     stream: records, capped
    P nodes            zset: gateway → last sign of life  P dead       set: gateways whose messages are being taken back
    P d:<scope>:<key>  dedup: "digest id", 5 min          P p:<session> hash: frame → confirm, "max"

and for each queue or stream, under ``B = P{name}:``::

    B s, B s1 … B s9   streams, by priority; entry n+1-0 is sequence n; fields h envelope, b body, k ordering key
    B n                hash: next sequence, totals, "prios" (1 once a priority was used)
    B z                hash: sequence → why it is dead, JSON (dead-letter queues)

for each queue (``G = B``) and group (``G = B g:<group>:``)::

    G due, G again     zsets: delayed, retrying; member "priority:n+1", score: due, ms
    G a                hash: member → attempts
    G k, G wk, G w:<k> hash: ordering key → member that holds it; set of keys waited for; lists of members that wait

Each queue has the consumer group ``q``. The consumer that owns a pending entry says where the message is: a gateway's name: leased there;
``free``: ready again, at its old place; ``parked``: waiting for its time or its key. So a returned message is not written again.
"""

LIB = """
local function split(pid)
  local p, n = string.match(pid, '^(%d):(%d+)$')
  return p, n .. '-0'
end
local function skey(B, p)
  if p == '0' or p == 0 then return B .. 's' end
  return B .. 's' .. p
end
local function prios(B)
  if redis.call('HGET', B .. 'n', 'prios') then return {'9','8','7','6','5','4','3','2','1','0'} end
  return {'0'}
end
local function depth(B)
  local total = 0
  for _, p in ipairs(prios(B)) do total = total + redis.call('XLEN', skey(B, p)) end
  return total
end
local function owner(sk, g, id)
  local found = redis.call('XPENDING', sk, g, id, id, 1)
  if #found == 0 then return nil end
  return found[1][2]
end
local function give(sk, g, who, id)
  return #redis.call('XCLAIM', sk, g, who, 0, id, 'JUSTID') > 0
end
local function field(entry, name)
  local f = entry[2]
  for i = 1, #f, 2 do if f[i] == name then return f[i + 1] end end
  return nil
end
local function unkey(B, G, g, pid, key)
  if redis.call('HGET', G .. 'k', key) ~= pid then
    redis.call('LREM', G .. 'w:' .. key, 1, pid)
    return
  end
  redis.call('HDEL', G .. 'k', key)
  while true do
    local heir = redis.call('LPOP', G .. 'w:' .. key)
    if not heir then
      redis.call('SREM', G .. 'wk', key)
      return
    end
    local p, id = split(heir)
    if give(skey(B, p), g, 'free', id) then
      redis.call('HSET', G .. 'k', key, heir)
      return
    end
  end
end
local function forget(B, G, g, pid, key)
  redis.call('HDEL', G .. 'a', pid)
  if key then unkey(B, G, g, pid, key) end
end
local function refusal(m)
  if m.session then
    local pk = m.P .. 'p:' .. m.session
    local seen = redis.call('HGET', pk, m.frame)
    if seen then return {'replay', seen} end
    if m.frame <= tonumber(redis.call('HGET', pk, 'max') or '0') - 1024 then return {'unknown'} end
  end
  m.fresh, m.dups, m.isdup = {}, {}, {}
  if m.dedup then
    for i, d in ipairs(m.dedup) do
      if d ~= cjson.null then
        local k = m.P .. 'd:' .. m.scope .. ':' .. d[1]
        local seen = m.fresh[k] or redis.call('GET', k)
        if seen then
          local digest, id = string.match(seen, '^(%S+) (%S+)$')
          if digest ~= d[2] then return {'conflict', id} end
          m.isdup[i] = true
          m.dups[#m.dups + 1] = i - 1
          m.dups[#m.dups + 1] = id
        else
          m.fresh[k] = d[2] .. ' ' .. m.prefix .. (i - 1)
        end
      end
    end
  end
  for _, t in ipairs(m.targets) do
    if redis.call('HEXISTS', m.P .. 'definitions', t.name) == 0 then return {'missing', t.name} end
    if t.max then
      local count = t.only and #t.only or m.count
      if depth(t.b) + count > t.max then return {'full', t.name} end
    end
  end
  return nil
end
local function publish(m, at)
  local firsts = {}
  for k, v in pairs(m.fresh) do redis.call('SET', k, v, 'PX', 300000) end
  for _, t in ipairs(m.targets) do
    local B, chosen, wanted = t.b, {}, nil
    if t.only then
      wanted = {}
      for _, i in ipairs(t.only) do wanted[i + 1] = true end
    end
    for i = 1, m.count do
      if not m.isdup[i] and (not wanted or wanted[i]) then chosen[#chosen + 1] = i end
    end
    local last = redis.call('HINCRBY', B .. 'n', 'next', #chosen)
    firsts[#firsts + 1] = last - #chosen
    local n = last - #chosen
    for _, i in ipairs(chosen) do
      n = n + 1
      local sk, p = B .. 's', '0'
      if m.prios and m.prios[i] ~= cjson.null and m.prios[i] ~= 0 and t.kind == 'queue' then
        p = tostring(m.prios[i])
        sk = B .. 's' .. p
        if redis.call('EXISTS', sk) == 0 then
          redis.call('HSET', B .. 'n', 'prios', 1)
          for q = 1, 9 do pcall(redis.call, 'XGROUP', 'CREATE', B .. 's' .. q, 'q', '0', 'MKSTREAM') end
        end
      end
      local id = string.format('%d-0', n)
      if m.keys and m.keys[i] ~= cjson.null and t.kind == 'queue' then
        redis.call('XADD', sk, id, 'h', ARGV[at + 2 * i], 'b', ARGV[at + 2 * i + 1], 'k', m.keys[i])
      else
        redis.call('XADD', sk, id, 'h', ARGV[at + 2 * i], 'b', ARGV[at + 2 * i + 1])
      end
      if m.dues and m.dues[i] ~= 0 and t.kind == 'queue' then
        redis.call('ZADD', B .. 'due', m.dues[i], string.format('%s:%d', p, n))
      end
    end
    redis.call('HINCRBY', B .. 'n', 'published', #chosen)
    if t.keep then redis.call('XTRIM', B .. 's', 'MAXLEN', t.keep) end
  end
  if m.session then
    local pk = m.P .. 'p:' .. m.session
    redis.call('HSET', pk, m.frame, cjson.encode({m.prefix, m.dups}))
    if m.frame > tonumber(redis.call('HGET', pk, 'max') or '0') then redis.call('HSET', pk, 'max', m.frame) end
    if redis.call('HLEN', pk) > 2048 then
      local top = tonumber(redis.call('HGET', pk, 'max'))
      for _, f in ipairs(redis.call('HKEYS', pk)) do
        if f ~= 'max' and tonumber(f) <= top - 1024 then redis.call('HDEL', pk, f) end
      end
    end
    redis.call('EXPIRE', pk, 3600)
  end
  return firsts
end
"""

SEND = (
    LIB
    + """
local m = cjson.decode(ARGV[1])
local no = refusal(m)
if no then return no end
return {'ok', publish(m, 0), m.dups}
"""
)
"""Args: the frame's meta, then envelope and body of each message."""

TAKE = (
    LIB
    + """
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
"""
)
"""Returns when the next delayed message is due, then member, envelope, body and attempts of each message taken."""

SETTLE = (
    LIB
    + """
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
"""
)
"""Args: what is to be done, as meta, then envelopes and bodies of the publishes of completions, where each meta's ``at`` says."""

MINE = (
    LIB
    + """
local B, g, me, out = ARGV[1], ARGV[2], ARGV[3], {}
for _, p in ipairs(prios(B)) do
  for _, row in ipairs(redis.call('XPENDING', skey(B, p), g, '-', '+', 100000, me)) do
    out[#out + 1] = p .. ':' .. string.match(row[1], '^(%d+)')
  end
end
return out
"""
)
"""Members that a gateway holds."""

COUNTS = (
    LIB
    + """
local B, G, g = ARGV[1], ARGV[2], ARGV[3]
local delayed, again = redis.call('ZCARD', G .. 'due'), redis.call('ZCARD', G .. 'again')
local total, leased, oldest, committed = 0, 0, false, false
for _, p in ipairs(prios(B)) do
  local sk = skey(B, p)
  if g == 'q' then
    total = total + redis.call('XLEN', sk)
    local first = redis.call('XRANGE', sk, '-', '+', 'COUNT', 1)
    if #first > 0 then
      local t = cjson.decode(field(first[1], 'h')).t
      if not oldest or t < oldest then oldest = t end
    end
  end
  local ok, pending = pcall(redis.call, 'XPENDING', sk, g)
  if ok and type(pending) == 'table' and pending[4] then
    for _, row in ipairs(pending[4]) do
      if row[1] ~= 'free' and row[1] ~= 'parked' then leased = leased + tonumber(row[2]) end
    end
    if g ~= 'q' then
      total = total + pending[1]
      committed = pending[2] and tonumber(string.match(pending[2], '^(%d+)'))
    end
  end
end
if g ~= 'q' then
  local next = tonumber(redis.call('HGET', B .. 'n', 'next') or '0')
  local first = redis.call('XRANGE', B .. 's', '-', '+', 'COUNT', 1)
  local start = #first > 0 and tonumber(string.match(first[1][1], '^(%d+)')) or next + 1
  local ok, groups = pcall(redis.call, 'XINFO', 'GROUPS', B .. 's')
  for _, row in ipairs(ok and groups or {}) do
    local facts = {}
    for i = 1, #row, 2 do facts[row[i]] = row[i + 1] end
    if facts['name'] == g then
      local last = tonumber(string.match(facts['last-delivered-id'], '^(%d+)'))
      total = total + next - math.max(last, start - 1)
      if not committed then committed = last + 1 end
    end
  end
end
return {total - delayed - again - leased, delayed, again, leased, oldest or -1, committed or -1,
  redis.call('HGETALL', g == 'q' and B .. 'n' or G .. 'n')}
"""
)

BROWSE = (
    LIB
    + """
local B, G, g, wanted, after, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local out = {}
for _, p in ipairs(prios(B)) do
  local sk = skey(B, p)
  local at, found, scanned = after + 2, 0, 0
  while found <= limit and scanned < 20000 do
    local rows = redis.call('XRANGE', sk, string.format('%d-0', at), '+', 'COUNT', 200)
    for _, entry in ipairs(rows) do
      scanned = scanned + 1
      local id = entry[1]
      local n = string.match(id, '^(%d+)')
      at = tonumber(n) + 1
      local pid, who = p .. ':' .. n, owner(sk, g, id)
      local due = redis.call('ZSCORE', G .. 'due', pid) or redis.call('ZSCORE', G .. 'again', pid)
      local state = 'ready'
      if due then state = 'delayed' elseif who and who ~= 'free' and who ~= 'parked' then state = 'leased' end
      if state == wanted and found <= limit then
        found = found + 1
        out[#out + 1] = {pid, field(entry, 'h'), field(entry, 'b'), state, redis.call('HGET', G .. 'a', pid) or '0',
          due or '', redis.call('HGET', B .. 'z', pid) or ''}
      end
    end
    if #rows < 200 then break end
  end
end
return out
"""
)

REDRIVE = (
    LIB
    + """
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
"""
)

REMOVE = (
    LIB
    + """
local B, G, out = ARGV[1], ARGV[2], {}
for i = 3, #ARGV do
  for _, p in ipairs(prios(B)) do
    local sk, id = skey(B, p), ARGV[i] .. '-0'
    local found = redis.call('XRANGE', sk, id, id)
    if #found > 0 then
      local pid = p .. ':' .. ARGV[i]
      redis.call('XACK', sk, 'q', id)
      redis.call('XDEL', sk, id)
      redis.call('ZREM', G .. 'due', pid)
      redis.call('ZREM', G .. 'again', pid)
      redis.call('HDEL', B .. 'z', pid)
      forget(B, G, 'q', pid, field(found[1], 'k'))
      out[#out + 1] = ARGV[i]
    end
  end
end
return out
"""
)

PURGE = (
    LIB
    + """
local B, G, count = ARGV[1], ARGV[2], 0
for _, p in ipairs(prios(B)) do
  local sk, at = skey(B, p), '-'
  while count < 2000 do
    local rows = redis.call('XRANGE', sk, at, '+', 'COUNT', 500)
    for _, entry in ipairs(rows) do
      local id = entry[1]
      at = '(' .. id
      local who = owner(sk, 'q', id)
      if not who or who == 'free' or who == 'parked' then
        local pid = p .. ':' .. string.match(id, '^(%d+)')
        redis.call('XACK', sk, 'q', id)
        redis.call('XDEL', sk, id)
        redis.call('ZREM', G .. 'due', pid)
        redis.call('ZREM', G .. 'again', pid)
        redis.call('HDEL', B .. 'z', pid)
        forget(B, G, 'q', pid, field(entry, 'k'))
        count = count + 1
      end
    end
    if #rows < 500 then break end
  end
end
return count
"""
)
"""Removes some thousand; to be called until it returns 0."""

START_GROUP = (
    LIB
    + """
local B, G, g, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local sk = B .. 's'
local ok = pcall(redis.call, 'XGROUP', 'CREATE', sk, g, id, 'MKSTREAM')
if not ok then
  redis.call('XGROUP', 'DESTROY', sk, g)
  redis.call('XGROUP', 'CREATE', sk, g, id, 'MKSTREAM')
end
redis.call('DEL', G .. 'due', G .. 'again', G .. 'a', G .. 'k')
return 1
"""
)

OFFSET_AT = (
    LIB
    + """
local sk, at = ARGV[1] .. 's', tonumber(ARGV[2])
local next = tonumber(redis.call('HGET', ARGV[1] .. 'n', 'next') or '0')
local low, high = 1, next + 1
while low < high do
  local middle = math.floor((low + high) / 2)
  local found = redis.call('XRANGE', sk, string.format('%d-0', middle), '+', 'COUNT', 1)
  if #found == 0 then
    high = middle
  elseif cjson.decode(field(found[1], 'h')).t >= at then
    high = middle
  else
    low = tonumber(string.match(found[1][1], '^(%d+)')) + 1
  end
end
if ARGV[3] == 'trim' then redis.call('XTRIM', sk, 'MINID', string.format('%d-0', low)) end
return low - 1
"""
)
"""Offset of the first message of a stream published at that time or later; with ``trim``, those before it go."""

BEAT = """
local P, me, patience, sweep = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('SISMEMBER', P .. 'dead', me) == 1 then return {'gone'} end
if ARGV[5] == 'again' and not redis.call('ZSCORE', P .. 'nodes', me) then return {'gone'} end
redis.call('ZADD', P .. 'nodes', now, me)
if sweep == '1' then
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', P .. 'nodes', '-inf', now - patience)) do
    redis.call('ZREM', P .. 'nodes', node)
    redis.call('SADD', P .. 'dead', node)
  end
end
return {'ok', redis.call('SMEMBERS', P .. 'dead')}
"""
"""A sign of life; returns the gateways found dead. From then on they can settle nothing."""

RECLAIM = (
    LIB
    + """
local B, g, node, out = ARGV[1], ARGV[2], ARGV[3], {}
for _, p in ipairs(prios(B)) do
  local sk = skey(B, p)
  local ok, rows = pcall(redis.call, 'XPENDING', sk, g, '-', '+', 500, node)
  if ok and type(rows) == 'table' and rows[1] then
    local ask = {'XCLAIM', sk, g, 'free', 0}
    for _, row in ipairs(rows) do ask[#ask + 1] = row[1] end
    for _, entry in ipairs(redis.call(unpack(ask))) do
      if entry then out[#out + 1] = field(entry, 'h') end
    end
    if #rows == 500 then return {'more', out} end
  end
  if ok then pcall(redis.call, 'XGROUP', 'DELCONSUMER', sk, g, node) end
end
return {'done', out}
"""
)

SAVE = """
local P, name, new, B, kind = ARGV[1], ARGV[2], ARGV[4], ARGV[5], ARGV[6]
if new == '1' then
  local present = redis.call('HGET', P .. 'definitions', name)
  if present then return present end
end
redis.call('HSET', P .. 'definitions', name, ARGV[3])
if kind == 'queue' then pcall(redis.call, 'XGROUP', 'CREATE', B .. 's', 'q', '0', 'MKSTREAM') end
return ARGV[3]
"""

ERASE = (
    LIB
    + """
local P, name, B, G, g, kind = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
redis.call('HDEL', P .. 'definitions', name)
if kind == 'binding' then return 1 end
for _, key in ipairs(redis.call('SMEMBERS', G .. 'wk')) do redis.call('DEL', G .. 'w:' .. key) end
redis.call('DEL', G .. 'due', G .. 'again', G .. 'a', G .. 'k', G .. 'wk')
if kind == 'group' then
  redis.call('DEL', G .. 'n')
  pcall(redis.call, 'XGROUP', 'DESTROY', B .. 's', g)
else
  redis.call('DEL', B .. 's', B .. 'n', B .. 'z')
  for p = 1, 9 do redis.call('DEL', B .. 's' .. p) end
end
return 1
"""
)

TELL = """
for i = 3, #ARGV do redis.call('XADD', ARGV[1], 'MAXLEN', '~', ARGV[2], '*', 'd', ARGV[i]) end
return 1
"""
