-- Grants leases that are asked for at one time, one after another, or says why not.
--
-- Arguments: how long a lease lives in ms, how long a silent conversation is remembered in ms, and
-- how many are; then for each ask its id, user, token, model, estimate, the pinned account or '',
-- the conversation or '', how many accounts were tried already, and these. Answers a text for
-- each.
--
-- Costs the same whether the family has ten accounts or ten thousand: one due timer is
-- handled, the top of a sorted set is taken. A model that is blocked on many has a set of
-- its own; one that is blocked on a few is looked for page by page. Where more models are
-- blocked on many than can have a set, some pages are looked at, then some accounts at random.

local lives, fresh, kept = number(ARGV[base + 1]), number(ARGV[base + 2]), number(ARGV[base + 3])

-- What is asked for just now.
local id, user, token, model, estimate, only, conversation, tried
-- How deep to look for one that was not tried: each tried one hides at most one.
local deep
-- How many accounts the model is blocked on, if any, and its slot.
local blocks, slot
-- Whether some that may do were not looked at, and how many were.
local gave_up, looks

-- Takes the ask that begins there; answers where the next one does.
local function take(at)
  id, user, token, model = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  estimate, only, conversation = number(ARGV[at + 4]), ARGV[at + 5], ARGV[at + 6]
  tried, deep = {}, number(ARGV[at + 7])
  for i = at + 8, at + 7 + deep do tried[ARGV[i]] = true end
  gave_up, looks, failed = false, 0, nil
  return at + 8 + deep
end

-- One reply of several words: a client reads it sooner than a list.
local function words(...) return table.concat({ ... }, ' ') end

local PAGE = 64

-- The ends of a model's blocks on some accounts; 0: not blocked.
local function blocked_until(ids)
  local fields = {}
  for i, account in ipairs(ids) do fields[i] = model .. '\0' .. account end
  local ends = call('HMGET', BLOCKS, unpack(fields))
  for i = 1, #ids do
    local at = ends[i] and tonumber(ends[i]) or 0
    ends[i] = at > now and at or 0
  end
  return ends
end

-- The first account of the model's slot that was not tried: the best, or the best that
-- nobody uses.
local function first_of_slot(idle_only)
  for _, m in ipairs(call('ZRANGE', SLOTS[slot], 0, idle_only and 255 or deep)) do
    local account = id_of(m)
    local may = not idle_only or string.sub(m, 1, 6) == '000000'
    if may and not tried[account] and not is_blocked(model, account) then return account end
  end
end

-- So many accounts are looked at whose model may be blocked, then so many at random.
local MOST_LOOKS, AT_RANDOM = 1024, 256

-- Of a page of accounts the place of the first that may be taken.
local function free_of(page)
  if #page == 0 then return nil end
  local ends = blocked_until(page)
  for i, account in ipairs(page) do
    if ends[i] == 0 and not tried[account] then return i end
  end
end

-- An account of a set that may be taken, the best of some.
local function any_of(set)
  local best, found
  local some = call('ZRANDMEMBER', set, AT_RANDOM, 'WITHSCORES')
  local ids = {}
  for i = 1, #some, 2 do ids[#ids + 1] = id_of(some[i]) end
  for from = 1, #ids, PAGE do
    local page = {}
    for i = from, math.min(from + PAGE - 1, #ids) do page[#page + 1] = ids[i] end
    local ends = blocked_until(page)
    for i, account in ipairs(page) do
      local score = tonumber(some[2 * (from + i - 1)])
      local may = ends[i] == 0 and not tried[account]
      if may and (not best or score < best) then best, found = score, account end
    end
  end
  return found
end

-- The first account of a set that was not tried and whose model is not blocked.
local function first_of(set)
  if slot and (set == Q or set == IDLE) then return first_of_slot(set == IDLE) end
  if not blocks then
    local first = call('ZRANGE', set, 0, deep)
    sound[set] = true
    for _, m in ipairs(first) do
      if not tried[id_of(m)] then return id_of(m) end
    end
    return nil
  end
  for from = 0, MOST_LOOKS - 1, PAGE do
    local page = call('ZRANGE', set, from, from + PAGE - 1)
    if #page == 0 then return nil end
    for i, m in ipairs(page) do page[i] = id_of(m) end
    local free = free_of(page)
    if free then return page[free] end
  end
  if call('ZCARD', set) <= MOST_LOOKS then return nil end
  gave_up = true
  return any_of(set)
end

local function is_past(at)
  return at and at > 0 and at <= now
end

-- The pinned account, if it may be leased. Its timer may be far down the list.
local function pinned()
  local s = not tried[only] and load(only)
  if s and (is_past(s.was.timer) or is_past(s.was.early)) then
    rouse(s)
    put(s)
  end
  if not s or not s.was.member then return nil end
  if blocks and blocked_until({ only })[1] > 0 then return nil end
  return s
end

local function is_bound()
  return only == '' and conversation ~= '' and policy_of_pool() == STICKY
end

-- The account that the request's conversation is on.
local function bound()
  local at = call('ZSCORE', BOUND_TIMES, conversation)
  return at and tonumber(at) > now - fresh and call('HGET', BOUND, conversation)
end

-- Whether an account may be taken.
local function takes(account)
  return not tried[account] and not (blocks and is_blocked(model, account))
end

-- The first account of a class of the policy's order, or of the first class from that one
-- on: its place's text, and its class. A request looks at some that are blocked, in all classes
-- together; then what is left decides.
local function first_of_class(order, from, to)
  local deep, skip = deep + 1, 0
  while looks < MOST_LOOKS do
    local page = call('ZRANGEBYSCORE', order, from, to, 'WITHSCORES', 'LIMIT', skip, deep)
    local ids = {}
    for i = 1, #page, 2 do ids[#ids + 1] = id_of_place(page[i]) end
    local free = blocks and free_of(ids)
    for i = 1, blocks and 0 or #ids do
      if not tried[ids[i]] then
        free = i
        break
      end
    end
    if free then return page[2 * free - 1], tonumber(page[2 * free]) end
    if #ids < deep then return nil end
    looks = looks + #ids
    skip, deep = skip + deep, PAGE
  end
end

-- The account with the smallest priority that fits: the best of each class is looked at.
local function first_by_priority(order)
  local from = '-inf'
  while true do
    local text, class = first_of_class(order, from, '+inf')
    if not text then return nil end
    local left = MOST - tonumber(string.sub(text, 1, 17))
    if estimate <= left then return id_of_place(text) end
    from = '(' .. class
  end
end

-- The longest unused account that fits. All of a class above the request's fit; of its own
-- some are looked at.
local function next_in_round(order)
  local DEEP, class = 64, size_class(estimate)
  local best
  for _, text in ipairs(call('ZRANGEBYSCORE', order, class, class, 'LIMIT', 0, DEEP)) do
    if estimate <= rest_of_place(text) and takes(id_of_place(text)) then
      best = text
      break
    end
  end
  while true do
    local text, next_class = first_of_class(order, '(' .. class, '+inf')
    if not text then break end
    if not best or text < best then best = text end
    class = next_class
  end
  return best and id_of_place(best)
end

-- The account that the pool's policy picks.
local function picked()
  if is_bound() then
    local account = bound()
    return account and takes(account) and account
  end
  local order = order_of_pool()
  -- After a change the order is complete once a sweep has seen every account.
  if order == MOST_REMAINING or not is_in_order() then return nil end
  local places = slot and PLACE_SLOTS[slot] or PLACES
  if order == BY_PRIORITY then return first_by_priority(places) end
  return next_in_round(places)
end

-- An account that may be leased, if the request fits.
local function if_it_fits(s)
  if not s or not s.was.member then return nil end
  -- A window may have ended since the account was ranked.
  roll(s)
  local rest = rest_of(s)
  return (not rest or estimate <= rest) and s or nil
end

-- The account that the policy picks, if the request fits; else the one with the most left.
local function best_that_fits()
  if only ~= '' then return if_it_fits(pinned()) end
  local account = picked()
  local s = account and if_it_fits(load(account))
  if s then return s end
  account = first_of(Q)
  return account and if_it_fits(load(account))
end

-- The account with the most left of those that nobody uses: one request may overdraw it.
local function lone()
  local account = only
  if only == '' then
    account = first_of(IDLE)
  elseif not pinned() then
    return nil
  end
  local s = account and load(account)
  if not s then return nil end
  roll(s)
  return s[OPEN] == 0 and rest_of(s) > 0 and s or nil
end

-- Handles what is due, so much of each kind; answers how much that was. The time stands still
-- meanwhile: once no timer was due, none is. One that could not be handled still is.
local is_quiet = false
local function catch_up(most)
  local woken = is_quiet and 0 or wake(most)
  is_quiet = woken == 0 and not failed
  if not slot then return woken end
  local ended = unblock(most)
  -- Its last block may have ended.
  if ended > 0 then
    blocks = call('HGET', BLOCKS, model)
    slot = blocks and slot_of(model)
  end
  return math.max(woken, ended)
end

-- The account that is leased, if any.
local function choose()
  local woken = catch_up(1)
  local s = best_that_fits()
  -- No account is overdrawn, and nobody refused, while a reset that is due could serve.
  for _ = 1, 2 do
    if s or woken == 0 then break end
    woken = catch_up(64)
    if woken > 0 then s = best_that_fits() end
  end
  return s or lone()
end

-- Leases an account.
local function grant(s)
  local rest = rest_of(s)
  local remaining = rest and format('%d', rest) or ''
  local candidates = 1
  if only == '' then
    candidates = call('ZCARD', Q)
    for account in pairs(tried) do
      local other = load(account)
      if other and other.was.member then candidates = candidates - 1 end
    end
  end
  local granted_at = format('%d', now)
  local binds = is_bound()
  if binds then check_hash(BOUND) end
  s[LAST] = call('INCR', TURN)
  s[USED_AT] = now
  s[LEASED] = s[LEASED] + estimate
  s[OPEN] = s[OPEN] + 1
  local ailing = (s[STRIKES] > 0 or s[ST] == TRYING) and 1 or 0
  if s[ST] == TRYING then s[TRIAL] = id end
  put(s)
  local by, stayed = only == '' and policy_of_pool() or '', 0
  if binds then
    stayed = bound() == s.id and 1 or 0
    call('HSET', BOUND, conversation, s.id)
    call('ZADD', BOUND_TIMES, now, conversation)
    if call('ZCARD', BOUND_TIMES) > kept then
      call('HDEL', BOUND, call('ZPOPMIN', BOUND_TIMES)[1])
    end
  end
  local lease = { s.id, estimate, user, remaining, candidates, granted_at, ailing, by, stayed }
  lease[10], lease[11] = token, model
  call('HSET', LEASES, id, pack(lease))
  call('ZADD', DEADLINES, format('%d', now + lives), 'l' .. id)
  return words('granted', s.id, remaining, candidates, granted_at, ailing, by, stayed)
end

-- What a look at accounts found: one whose tokens are only leased; one that is ready; the first
-- instant at which anything returns.
local busy, ready, returns

local function meet(account, blocked_end)
  local o = load(account)
  if not o or tried[account] or o.was.stuck then return end
  roll(o)
  local may = is_ready(o)
  ready = ready or (o.was.member ~= nil)
  local left = may and left_of(o)
  local has_left = may and (not left or left > 0)
  if has_left and blocked_end == 0 then
    busy = true
    return
  end
  -- One whose model is blocked until after its reset returns with the later.
  local at
  if has_left then
    at = blocked_end
  elseif may then
    at = standing(o).timer
  else
    at = o[UNTIL]
  end
  if at > 0 then
    at = math.max(at, blocked_end)
    if not returns or at < returns then returns = at end
  end
end

local function look()
  if only ~= '' then
    meet(only, blocks and blocked_until({ only })[1] or 0)
  elseif blocks then
    -- Each account's block ends at its own time. In a family too large to look at each,
    -- the best and the first to change are looked at: the instant is never too late.
    local looked = {}
    if call('HLEN', A) <= 512 then
      looked = call('HKEYS', A)
    else
      local order = slot and SLOTS[slot] or Q
      for _, m in ipairs(call('ZRANGE', order, 0, 255)) do looked[#looked + 1] = id_of(m) end
      for _, account in ipairs(call('ZRANGE', OUT_OF_HAND, 0, 63)) do
        looked[#looked + 1] = account
      end
      for _, account in ipairs(call('ZRANGE', TIMERS, 0, 191)) do
        looked[#looked + 1] = account
      end
    end
    for from = 1, #looked, PAGE do
      local page = {}
      for i = from, math.min(from + PAGE - 1, #looked) do page[#page + 1] = looked[i] end
      local ends = blocked_until(page)
      for i, account in ipairs(page) do meet(account, ends[i]) end
    end
  else
    local best = first_of(Q)
    ready = best ~= nil
    busy = ready and rest_of(load(best)) > 0
    for _, account in ipairs(call('ZRANGE', OUT_OF_HAND, 0, deep)) do
      busy = busy or not tried[account]
    end
    -- With nothing left anywhere, each timer is the instant at which its account returns.
    local timers = call('ZRANGE', TIMERS, 0, deep, 'WITHSCORES')
    for i = 1, #timers, 2 do
      if not returns and not tried[timers[i]] then returns = tonumber(timers[i + 1]) end
    end
  end
end

local function any(set)
  if only ~= '' then
    return not tried[only] and call('ZSCORE', set, only) and only
  end
  for _, account in ipairs(call('ZRANGE', set, 0, deep)) do
    if not tried[account] then return account end
  end
end

-- Why nothing was chosen. Tokens that are only leased come back soonest, so busy comes
-- first. An account that rests for another reason than quota makes the whole answer
-- cooling.
local function refusal()
  busy, ready, returns = false, false, nil
  look()
  -- One of those that were not looked at may do.
  if busy or gave_up then return 'busy' end
  if returns and any(RESTING) then return words('cooling', format('%d', returns)) end
  if returns then return words('exhausted', format('%d', returns)) end
  if ready then return words('exhausted', '') end
  local stuck = any(STUCK)
  if stuck then return words('unauthorized', stuck, load(stuck)[ST]) end
  return 'none'
end

local function lease()
  local open = call('HGET', LEASES, id)
  if open then
    local l = unpack_(open)
    if l[2] then return words('granted', l[1], l[4], l[5], l[6], l[7], l[8] or '', l[9] or 0) end
  end
  -- One that has ended, perhaps before it came here, is not granted again: nobody would end
  -- it. An estimate that its deadline charged is kept under the id of its lease, which has ended.
  if open or call('ZSCORE', DEADLINES, 't' .. id) then return 'busy' end
  local any_slots
  blocks, any_slots = unpack(call('HMGET', BLOCKS, model, '\0n'))
  if not any_slots then live = {} end
  slot = blocks and any_slots and slot_of(model)
  local s = choose()
  if s then return grant(s) end
  -- Nobody is refused for what the server could not do.
  if failed and not is_unreadable(failed) then error(failed, 0) end
  return refusal()
end

-- Whether the server says that something else stands in a key's place.
local function is_of_a_key(text)
  local code = string.match(text, ': %-?(%u+) ') or string.match(text, '^(%u+) ')
  return code == 'WRONGTYPE' or code == 'ERR'
end

local answers, next_ask = {}, base + 4
while next_ask <= #ARGV do
  next_ask = take(next_ask)
  local done, said = attempt(lease)
  if not done then
    failed = said
    local why = failure()
    -- What is wrong with the server, and not with what lies there, is wrong for all.
    if not is_unreadable(said) and not is_of_a_key(why.err) then return why end
    said = words('failed', (string.gsub(why.err, '^ERR ', 'ERR script: ')))
  end
  answers[#answers + 1] = said
end
return answers
