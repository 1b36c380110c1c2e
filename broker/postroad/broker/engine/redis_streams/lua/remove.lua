-- Remove messages wherever they stand. ARGV: B, G, then numbers. Returns those that were there.
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
