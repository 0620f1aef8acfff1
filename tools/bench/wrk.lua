-- Asks for the paths of a file in turn; waits so many milliseconds before each request; says what it found as JSON.
local requests, at, pause = {}, 0, 0

function init(args)
  for line in io.lines(args[1]) do requests[#requests + 1] = wrk.format("GET", line) end
  pause = tonumber(args[2] or "0")
end

function request()
  at = at + 1
  return requests[(at - 1) % #requests + 1]
end

function delay()
  return pause
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\n{"requests":%d,"seconds":%f,"failed":%d,"p50":%f,"p99":%f}\n', summary.requests,
    summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000))
end
