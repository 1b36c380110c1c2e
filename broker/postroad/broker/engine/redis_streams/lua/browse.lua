-- Messages of one state, untouched, in order of sequence for each priority. ARGV: B, G, group, state, after, limit.
local B, G, g, wanted, after, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local out = {}
for _, p in ipairs(prios(B)) do
  local sk = skey(B, p)
  local at, found, scanned = after + 2, 0, 0
  while found <= limit and scanned < 20000 do
    local rows = redis.call('XRANGE', sk, string.format('%d-0', at), '+', 'COUNT', 200)
    for _, entry in ipairs(rows) do
      scanned = scanned + 1
      local id = entry[1]
      local n = string.match(id, '^(%d+)')
      at = tonumber(n) + 1
      local pid, who = p .. ':' .. n, owner(sk, g, id)
      local due = redis.call('ZSCORE', G .. 'due', pid) or redis.call('ZSCORE', G .. 'again', pid)
      local state = 'ready'
      if due then state = 'delayed' elseif who and who ~= 'free' and who ~= 'parked' then state = 'leased' end
      if state == wanted and found <= limit then
        found = found + 1
        out[#out + 1] = {pid, field(entry, 'h'), field(entry, 'b'), state, redis.call('HGET', G .. 'a', pid) or '0',
          due or '', redis.call('HGET', B .. 'z', pid) or ''}
      end
    end
    if #rows < 200 then break end
  end
end
return out
