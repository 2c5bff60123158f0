-- Does something for one of several: one that can't be read keeps no other from it. What is
-- done must write all or nothing. Answers whether it was done, and else why not.
local failed
local function attempt(what, ...)
  local done, why = pcall(what, ...)
  if not done then failed = failed or why end
  return done, why
end

-- Whether a failure is Lua's own: what was met can't be read, whatever the server's state. The
-- server's are tables; before version 7, texts with its code.
local function is_unreadable(why)
  return type(why) == 'string' and not string.match(why, '^%u+ ') and not string.match(why, ': %-?%u+ ')
end

-- The first failure as an answer. What the server said begins with its code, what Lua said has
-- none.
local function failure()
  local text = type(failed) == 'table' and failed.err or tostring(failed)
  return { err = string.match(text, '^%u+ ') and text or 'ERR script: ' .. text }
end
