-- Members that a gateway holds. ARGV: B, group, gateway.
local B, g, me, out = ARGV[1], ARGV[2], ARGV[3], {}
for _, p in ipairs(prios(B)) do
  for _, row in ipairs(redis.call('XPENDING', skey(B, p), g, '-', '+', 100000, me)) do
    out[#out + 1] = p .. ':' .. string.match(row[1], '^(%d+)')
  end
end
return out
