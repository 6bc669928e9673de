-- What wrk sends: `tokens FILE` GETs with the tokens of FILE, one a line, in turn; `create` POSTs bodies of which no
-- two are the same; without arguments GETs.
local head = "Host: bench\r\n"
local kinds = {}

function kinds.tokens(file)
  local requests, at = {}, 0
  for token in io.lines(file) do
    requests[#requests + 1] = "GET " .. wrk.path .. " HTTP/1.1\r\n" .. head .. "Authorization: Bearer " .. token .. "\r\n\r\n"
  end
  return function()
    at = at % #requests + 1
    return requests[at]
  end
end

function kinds.create(environment)
  local at = 0
  local before = '{"details":{"token_scope":"environment","environment_id":"' .. environment:sub(1, 22)
  local behind = '","expires_at":"2099-01-01T00:00:00Z"}}'
  local start = "POST " .. wrk.path .. " HTTP/1.1\r\n" .. head .. "Content-Type: application/json\r\nContent-Length: "
    .. #before + 10 + #behind .. "\r\n\r\n" .. before
  return function()
    at = at + 1
    return start .. string.format("%010d", at) .. behind
  end
end

function kinds.get()
  local request = "GET " .. wrk.path .. " HTTP/1.1\r\n" .. head .. "\r\n"
  return function() return request end
end

function init(arguments) request = kinds[arguments[1] or "get"](arguments[2]) end

function request() end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %f %d %f %f\n", summary.requests, summary.duration / 1e6,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
