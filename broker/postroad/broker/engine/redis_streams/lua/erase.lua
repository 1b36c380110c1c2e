-- Remove a queue, stream or group with all it has. ARGV: P, name, B, G, group, kind.
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
