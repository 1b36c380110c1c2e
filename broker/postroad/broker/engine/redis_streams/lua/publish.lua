-- Publishing, for frames of their own and for those of completions.
-- `refusal` says why a frame cannot be stored; `publish` stores it: its envelopes and bodies are in ARGV after `at`.
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
