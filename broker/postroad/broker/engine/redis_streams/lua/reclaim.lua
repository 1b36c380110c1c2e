-- Make free what a dead gateway held in one queue or group. ARGV: B, group, gateway. Returns the envelopes.
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
