-- What the steps of a move share. Each brings the move's number, which is an account's own and
-- rises from move to move. A pool remembers the last one of each account, be that still here or
-- not: a step that comes late, after one of a later move, does nothing.
--
-- The numbers are microseconds, and no step is under way for a day.

local MOVED, A_DAYS_MOVES = KEYS[32], 24 * 3600 * 1000000

local function last_move(id)
  return tonumber(call('ZSCORE', MOVED, id) or 0)
end

local function is_late(id, move)
  return move < last_move(id)
end

local function remember(id, move)
  call('ZADD', MOVED, move, id)
  call('ZREMRANGEBYSCORE', MOVED, '-inf', move - A_DAYS_MOVES)
end
