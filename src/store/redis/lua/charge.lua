-- What a lease's end charges: its account's windows, the stream of charges, the totals.

-- Rolls the windows, then adds a use to each.
local function charge(s, tokens)
  roll(s)
  for w = FIRST_WINDOW, #s, STRIDE do
    s[w + 2] = math.min(s[w + 2] + tokens, MOST)
    if s[w + 3] == 0 and type(s[w]) == 'number' then
      s[w + 3] = now + s[w] * 1000
    end
  end
end

-- A charge's row in text: lease, account, user, kind, tokens, time.
local RELEASED, EXACT, ESTIMATED, CORRECTION = 0, 1, 2, 3
local function row(lease, account, user, kind, tokens)
  return format('%s %s %s %d %d %d', lease, account, user, kind, tokens, now)
end

local function write_row(text)
  call('XADD', CHARGES, '*', 'c', text)
end

-- Totals: by `DAY USER TOKEN ACCOUNT MODEL`, a day's number since the epoch, the exact and the
-- estimated tokens; by `#DAY USER`, how many of these there are. Callers choose names of
-- models: past so many, all further ones count as one.
local MOST_SUMS, A_DAY = 1000, 86400000
local function sums_key(user, token, account, at)
  return format('%d %s %s %s ', math.floor(at / A_DAY), user, token, account)
end

local function parts_of(sum)
  local exact, estimated = string.match(sum or '0 0', '^(%S+) (%S+)$')
  return number(exact), number(estimated)
end

-- What a charge makes of the totals: which field, its text, and where its row counts if it is new.
local function counted(user, token, account, model, at, exact, estimated)
  local key = sums_key(user, token, account, at)
  local field, new = key .. model, nil
  local before = call('HGET', SUMS, field)
  if not before then
    local all = format('#%d %s', math.floor(at / A_DAY), user)
    if tonumber(call('HGET', SUMS, all) or 0) >= MOST_SUMS then
      field = key .. 'other'
      before = call('HGET', SUMS, field)
    end
    new = not before and all
  end
  local was_exact, was_estimated = parts_of(before)
  return field, format('%d %d', was_exact + exact, was_estimated + estimated), new
end

local function write_sum(field, sum, new)
  if new then call('HINCRBY', SUMS, new, 1) end
  call('HSET', SUMS, field, sum)
end

-- Where an estimate may have been counted: where its model counts, or where all further ones do.
local function sums_of(user, token, account, model, at)
  local key = sums_key(user, token, account, at)
  return { key .. model, key .. 'other' }
end

-- Takes back an estimate that was counted.
local function uncount(fields, estimated)
  for _, field in ipairs(fields) do
    local before = call('HGET', SUMS, field)
    if before and estimated > 0 then
      local was_exact, was_estimated = parts_of(before)
      local part = math.max(0, math.min(was_estimated, estimated))
      call('HSET', SUMS, field, format('%d %d', was_exact, was_estimated - part))
      estimated = estimated - part
    end
  end
end

-- Ends an open lease: `l` is account, estimate, user, six that were answered, token and
-- model. An account that is gone leaves no id behind. Answers the account. The caller leaves a mark of the lease's end.
local function finish(id, l, kind, tokens)
  local s = load(l[1])
  if s then
    if l[2] then
      s[LEASED] = math.max(0, s[LEASED] - l[2])
      s[OPEN] = math.max(0, s[OPEN] - 1)
    end
    if s[TRIAL] == id then s[TRIAL] = '' end
    if kind ~= RELEASED then charge(s, tokens) end
    prepare(s)
  end
  check('XLEN', CHARGES)
  local account = s and l[1] or '0'
  local text = row(id, account, l[3], kind, tokens)
  local field, sum, new
  if kind ~= RELEASED then
    local exact = kind == EXACT and tokens or 0
    local token, model = l[10] or '0', l[11] or ''
    field, sum, new = counted(l[3], token, account, model, now, exact, tokens - exact)
  end
  -- Comes first: it needs no memory, and once something is written a full server takes the rest.
  call('ZREM', DEADLINES, 'l' .. id)
  write_row(text)
  if field then write_sum(field, sum, new) end
  if s then put(s) end
  return s
end
