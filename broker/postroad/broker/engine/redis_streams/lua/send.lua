-- Store a publish frame, in all its targets or in none.
-- ARGV: what is to be known of the frame (JSON, see backend.py), then envelope and body of each message.
-- Returns ok with the first sequence in each target and the duplicates, or why not.
local m = cjson.decode(ARGV[1])
local no = refusal(m)
if no then return no end
return {'ok', publish(m, 0), m.dups}
