-- Remove what nobody holds: some thousand at a time, to be called until it returns 0. ARGV: B, G.
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
