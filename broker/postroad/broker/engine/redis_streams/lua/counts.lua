-- How many messages are where. ARGV: B, G, group.
local B, G, g = ARGV[1], ARGV[2], ARGV[3]
local delayed, again = redis.call('ZCARD', G .. 'due'), redis.call('ZCARD', G .. 'again')
local total, leased, oldest, committed = 0, 0, false, false
for _, p in ipairs(prios(B)) do
  local sk = skey(B, p)
  if g == 'q' then
    total = total + redis.call('XLEN', sk)
    local first = redis.call('XRANGE', sk, '-', '+', 'COUNT', 1)
    if #first > 0 then
      local t = cjson.decode(field(first[1], 'h')).t
      if not oldest or t < oldest then oldest = t end
    end
  end
  local ok, pending = pcall(redis.call, 'XPENDING', sk, g)
  if ok and type(pending) == 'table' and pending[4] then
    for _, row in ipairs(pending[4]) do
      if row[1] ~= 'free' and row[1] ~= 'parked' then leased = leased + tonumber(row[2]) end
    end
    if g ~= 'q' then
      total = total + pending[1]
      committed = pending[2] and tonumber(string.match(pending[2], '^(%d+)'))
    end
  end
end
if g ~= 'q' then
  local next = tonumber(redis.call('HGET', B .. 'n', 'next') or '0')
  local first = redis.call('XRANGE', B .. 's', '-', '+', 'COUNT', 1)
  local start = #first > 0 and tonumber(string.match(first[1][1], '^(%d+)')) or next + 1
  local ok, groups = pcall(redis.call, 'XINFO', 'GROUPS', B .. 's')
  for _, row in ipairs(ok and groups or {}) do
    local facts = {}
    for i = 1, #row, 2 do facts[row[i]] = row[i + 1] end
    if facts['name'] == g then
      local last = tonumber(string.match(facts['last-delivered-id'], '^(%d+)'))
      total = total + next - math.max(last, start - 1)
      if not committed then committed = last + 1 end
    end
  end
end
return {total - delayed - again - leased, delayed, again, leased, oldest or -1, committed or -1,
  redis.call('HGETALL', g == 'q' and B .. 'n' or G .. 'n')}
