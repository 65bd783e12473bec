-- Events for Tocsin, told what to send by the environment: EVENT is the JSON of one event without its last brace,
-- SIZE the events of a request (0: one, not in a batch), RUN the start of unique clientEventIds (empty: none).
local event, size, run = os.getenv("EVENT"), tonumber(os.getenv("SIZE")), os.getenv("RUN")
local sent = 0

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-API-Key"] = os.getenv("KEY")
wrk.headers["X-API-Secret"] = os.getenv("SECRET")

local function next_event()
  if run == "" then
    return event .. "}"
  end
  sent = sent + 1
  return event .. ',"clientEventId":"' .. run .. "-" .. sent .. '"}'
end

local function next_body()
  if size == 0 then
    return next_event()
  end
  local events = {}
  for number = 1, size do
    events[number] = next_event()
  end
  return '{"events":[' .. table.concat(events, ",") .. "]}"
end

if run == "" then
  wrk.body = next_body()
else
  function request()
    return wrk.format(nil, nil, nil, next_body())
  end
end
