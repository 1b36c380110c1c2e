-- A sign of life; with sweep, gateways silent for too long are dead: from then on they can settle nothing.
-- ARGV: P, gateway, patience in ms, sweep, first or again. Returns the dead whose messages are still to be taken back.
local P, me, patience, sweep = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('SISMEMBER', P .. 'dead', me) == 1 then return {'gone'} end
if ARGV[5] == 'again' and not redis.call('ZSCORE', P .. 'nodes', me) then return {'gone'} end
redis.call('ZADD', P .. 'nodes', now, me)
if sweep == '1' then
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', P .. 'nodes', '-inf', now - patience)) do
    redis.call('ZREM', P .. 'nodes', node)
    redis.call('SADD', P .. 'dead', node)
  end
end
return {'ok', redis.call('SMEMBERS', P .. 'dead')}
