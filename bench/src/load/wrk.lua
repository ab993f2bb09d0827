-- Sends the requests of its standard input in their order, each as it stands there: its length in bytes,
-- a line's end, and so many bytes. What the run found is told as one line that a program reads.

local requests, next_one, count = {}, 0, 0

function init()
   while true do
      local length = io.read("*n")
      if not length then break end
      io.read(1)
      count = count + 1
      requests[count] = io.read(length)
   end
end

function request()
   next_one = next_one % count + 1
   return requests[next_one]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format("found %d %d %d %d %d %d\n",
      summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
