"""The scripts that run on a Redis server.

In a script, nothing can come between a comparison and what depends on it.
"""

import math

# The server's answers in place of the time that an entry has left.
_NO_EXPIRY = -1
_NO_ENTRY = -2

# Stores a value for some seconds, 0 for ever.
_PUT = """
local function put(key, value, seconds)
  if seconds == "0" then
    redis.call("SET", key, value)
  else
    redis.call("SET", key, value, "EX", seconds)
  end
end
"""
#: KEYS are a key, its other key, the next key, and so on. ARGV is for each key the
#: value that is expected of the other key, its own value and its seconds.
SET_MANY_IF_EQUAL = (
    _PUT
    + """
local kept = {}
for at = 1, #KEYS / 2 do
  local key, other = KEYS[2 * at - 1], KEYS[2 * at]
  local expected, value, seconds = unpack(ARGV, 3 * at - 2, 3 * at)
  -- pcall, because a value of another type is an error, and equals nothing.
  local is_equal = redis.pcall("GET", other) == expected
  if is_equal then
    put(key, value, seconds)
    redis.call("DEL", other)
  end
  kept[#kept + 1] = is_equal and 1 or 0
end
return kept
"""
)
#: The most keys of `ADD_AND_GET`. Lua unpacks no more than 8,000.
MOST_ADDED_AND_READ = 5000
#: The first KEYS are those of values to add: a key that has a text keeps it. The others
#: are read after that. ARGV are how many the first are, their seconds, and the value of
#: each. The answer is for each of the first 1, or the text that it keeps, and the
#: values of the others.
ADD_AND_GET = (
    _PUT
    + """
local number, seconds = tonumber(ARGV[1]), ARGV[2]
local added = {}
for at = 1, number do
  local key, value = KEYS[at], ARGV[at + 2]
  -- A list, a hash or the like is no value, since nobody can read it.
  local is_free = redis.call("TYPE", key).ok ~= "string"
  if is_free then
    put(key, value, seconds)
  end
  added[at] = is_free and 1 or redis.call("GET", key)
end
local read = #KEYS > number and redis.call("MGET", unpack(KEYS, number + 1))
return {added, read or {}}
"""
)
#: KEYS are keys. ARGV is for each key the value that is expected of it.
DELETE_MANY_IF_EQUAL = """
local deleted = {}
for at, key in ipairs(KEYS) do
  local is_equal = redis.pcall("GET", key) == ARGV[at]
  deleted[at] = is_equal and redis.call("DEL", key) or 0
end
return deleted
"""
#: The key is one with a text. ARGV are that text, what to store in its place, and the
#: seconds of that.
REPLACE_IF_EQUAL = (
    _PUT
    + """
local key, present, value, seconds = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if redis.pcall("GET", key) ~= present then
  return 0
end
put(key, value, seconds)
return 1
"""
)
#: The key is one of a number. ARGV are what to add to it, and the seconds of a new one.
COUNT = (
    _PUT
    + """
local key, delta, seconds = KEYS[1], ARGV[1], ARGV[2]
if redis.call("EXISTS", key) == 0 then
  put(key, 0, seconds)
end
redis.call("INCRBY", key, delta)
-- What INCRBY returns is rounded by Lua, if it is large.
return redis.call("GET", key)
"""
)
#: KEYS are keys. The answer is for each key its value, and its milliseconds as PTTL has
#: them.
READ_WITH_REMAINING = """
local read = {}
for at, key in ipairs(KEYS) do
  local value = redis.pcall("GET", key)
  -- A value of another type is an error, and no value.
  read[2 * at - 1] = type(value) == "string" and value
  read[2 * at] = redis.call("PTTL", key)
end
return read
"""


def seconds_left(milliseconds: int) -> float | None:
    """Return the seconds for which an entry is kept, from what PTTL has answered.

    Returns:
        `math.inf` if it is kept for ever; None if there is no entry.
    """
    if milliseconds == _NO_ENTRY:
        return None
    return math.inf if milliseconds == _NO_EXPIRY else milliseconds / 1000
