-- What wrk sends: `tokens FILE` GETs with the tokens of FILE, one a line, in turn; `accounts FILE` GETs for its accounts;
-- `create FILE` POSTs for its accounts, bodies of which no two are the same; without arguments GETs.
local head = " HTTP/1.1\r\nHost: bench\r\n"
local kinds = {}

local function in_turn(file, make)
  local made, at = {}, 0
  for line in io.lines(file) do made[#made + 1] = make(line) end
  return function()
    at = at % #made + 1
    return made[at]
  end
end

function kinds.tokens(file)
  return in_turn(file, function(token) return "GET " .. wrk.path .. head .. "Authorization: Bearer " .. token .. "\r\n\r\n" end)
end

function kinds.accounts(file)
  return in_turn(file, function(account) return "GET " .. wrk.path .. head .. "X-Account: " .. account .. "\r\n\r\n" end)
end

function kinds.create(file)
  local number = 0
  local behind = '","expires_at":"2099-01-01T00:00:00Z"}}'
  local next_start = in_turn(file, function(account)
    local before = '{"details":{"token_scope":"environment","environment_id":"' .. account:sub(1, 22)
    return "POST " .. wrk.path .. head .. "X-Account: " .. account .. "\r\nContent-Type: application/json\r\nContent-Length: "
      .. #before + 10 + #behind .. "\r\n\r\n" .. before
  end)
  return function()
    number = number + 1
    return next_start() .. string.format("%010d", number) .. behind
  end
end

function kinds.get()
  local request = "GET " .. wrk.path .. head .. "\r\n"
  return function() return request end
end

function init(arguments) request = kinds[arguments[1] or "get"](arguments[2]) end

function request() end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %f %d %f %f\n", summary.requests, summary.duration / 1e6,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
