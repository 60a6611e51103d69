-- Visitors of all pages, in no order, but in the same one in each run.
local modules, visitors, threads = 40, 200, 0

function setup(thread)
  threads = threads + 1
  thread:set("seed", threads)
end

function init()
  math.randomseed(seed)
end

function request()
  local path = "/modules/" .. math.random(modules)
  return wrk.format("GET", path, { Cookie = "visitor=" .. math.random(visitors) })
end
