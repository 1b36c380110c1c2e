-- Tell all gateways. ARGV: the stream of events, how many to keep, then records.
for i = 3, #ARGV do redis.call('XADD', ARGV[1], 'MAXLEN', '~', ARGV[2], '*', 'd', ARGV[i]) end
return 1
