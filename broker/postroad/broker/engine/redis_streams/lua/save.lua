-- Keep a definition, unless there is one and it must be new. ARGV: P, name, definition, new, B, kind. Returns the one kept.
local P, name, new, B, kind = ARGV[1], ARGV[2], ARGV[4], ARGV[5], ARGV[6]
if new == '1' then
  local present = redis.call('HGET', P .. 'definitions', name)
  if present then return present end
end
redis.call('HSET', P .. 'definitions', name, ARGV[3])
if kind == 'queue' then pcall(redis.call, 'XGROUP', 'CREATE', B .. 's', 'q', '0', 'MKSTREAM') end
return ARGV[3]
