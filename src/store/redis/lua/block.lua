-- Blocks a model on an account until an instant; a longer block stays.
--
-- Arguments: account, model, how long it lasts at most in ms, how long it lasts in ms where none of the instants that follow
-- lies ahead. Beside the blocks, the hash counts them by
-- model, so that a lease sees in one look whether its model is blocked anywhere.

local id, model, at = ARGV[base + 1], ARGV[base + 2], nil
for i = base + 5, #ARGV do
  local ends = number(ARGV[i])
  if ends > now and (not at or ends < at) then at = ends end
end
at = math.min(at or now + number(ARGV[base + 4]), now + number(ARGV[base + 3]))
if not load(id) then return 0 end
local field = model .. '\0' .. id
local before = call('HGET', BLOCKS, field)
if before and tonumber(before) >= at then return 1 end
local slot = slot_of(model)
if slot then
  check_slot(slot)
else
  check_set(Q)
  check_set(PLACES)
end
call('ZADD', BLOCK_ENDS, at, field)
if call('HSET', BLOCKS, field, at) == 0 then return 1 end

-- So many blocks of a model are worth a slot.
local MANY = 32

-- Gives the model a free slot, if there is one: the order, less those blocked.
local function claim_slot()
  for index = 1, #SLOTS do
    if call('HSETNX', BLOCKS, '\0s' .. index, model) == 1 then
      call('HSET', BLOCKS, '\0m' .. model, index)
      call('HINCRBY', BLOCKS, '\0n', 1)
      live = nil
      call('ZUNIONSTORE', SLOTS[index], 1, Q)
      call('ZUNIONSTORE', PLACE_SLOTS[index], 1, PLACES)
      local prefix = model .. '\0'
      for _, entry in ipairs(call('ZRANGE', BLOCK_ENDS, 0, -1)) do
        if string.sub(entry, 1, #prefix) == prefix then
          local s = load(string.sub(entry, #prefix + 1))
          if s and s.was.member then call('ZREM', SLOTS[index], s.was.member) end
          if s then move_place(PLACE_SLOTS[index], s.was.place, '') end
        end
      end
      return
    end
  end
end

local count = call('HINCRBY', BLOCKS, model, 1)
if slot then
  local s = load(id)
  if s.was.member then call('ZREM', SLOTS[slot], s.was.member) end
  move_place(PLACE_SLOTS[slot], s.was.place, '')
elseif count >= MANY then
  claim_slot()
end
return 1
