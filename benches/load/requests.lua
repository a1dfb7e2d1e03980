-- wrk -s requests.lua URL -- TOKENS BODY
--
-- Sends BODY with the tokens of the file TOKENS in turn; without TOKENS ("-") a GET. Prints one line of JSON at the end.

local requests, sent = {}, 0

function init(args)
  if args[1] == "-" then
    requests = { wrk.format("GET") }
    return
  end
  for token in io.lines(args[1]) do
    local headers = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
    requests[#requests + 1] = wrk.format("POST", nil, headers, args[2])
  end
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"requests":%d,"micros":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)))
end
