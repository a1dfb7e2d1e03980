-- wrk -s paced.lua URL -- TOKENS BODY MEAN
--
-- As requests.lua, but each connection waits MEAN milliseconds on average between its requests, exponentially distributed.
-- A script of its own, because wrk paces whatever script has a `delay`.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "requests.lua")
math.randomseed(1)
local send, mean_pause = init, 0

function init(args)
  mean_pause = tonumber(args[3])
  send(args)
end

function delay()
  return math.floor(-mean_pause * math.log(1 - math.random()) + math.random())
end
