-- Offset of the first message of a stream published at a time or later; with `trim`, those before it go. ARGV: B, ms, "" or trim.
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
