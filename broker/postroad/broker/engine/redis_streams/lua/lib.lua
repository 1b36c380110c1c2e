-- What the scripts share; put before each of them. The keys are described in scripts.py.
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
