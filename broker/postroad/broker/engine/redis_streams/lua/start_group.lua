-- Set where a group goes on; what it held is forgotten. ARGV: B, G, group, id of the last message it shall not get.
local B, G, g, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local sk = B .. 's'
local ok = pcall(redis.call, 'XGROUP', 'CREATE', sk, g, id, 'MKSTREAM')
if not ok then
  redis.call('XGROUP', 'DESTROY', sk, g)
  redis.call('XGROUP', 'CREATE', sk, g, id, 'MKSTREAM')
end
redis.call('DEL', G .. 'due', G .. 'again', G .. 'a', G .. 'k')
return 1
