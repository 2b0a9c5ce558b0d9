"""
What Redis does with a draw, in one step: nobody comes between to look and to take.

It does what L{smfd.policy.quota.take} and L{give_back
<smfd.policy.quota.give_back>} do, by Redis's own clock, which all boxes share.

C{KEYS}: for each meter where its state and its things are.  C{ARGV}: what to do, and
the meters as JSON.  The answer is JSON.
"""

from smfd.policy.quota import REMEMBERED, SLOTS

SCRIPT = (
    f"local SLOTS, REMEMBERED = {SLOTS}, {REMEMBERED}\n"
    + """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local act, draws = ARGV[1], cjson.decode(ARGV[2])

local function slots_of(draw, state)
    local here = math.floor(now * SLOTS / draw.seconds)
    local found, newest = {}, here
    for slot, count in string.gmatch(state, '(%d+):(%d+)') do
        found[tonumber(slot)] = tonumber(count)
        newest = math.max(newest, tonumber(slot))
    end
    local slots, used = {}, 0
    for slot, count in pairs(found) do
        slot = slot - (newest - here)
        if slot >= here - SLOTS then
            slots[slot] = count
            used = used + count
        end
    end
    return slots, used, here
end

local function sorted(slots)
    local names = {}
    for slot in pairs(slots) do table.insert(names, slot) end
    table.sort(names)
    return names
end

local function text(slots)
    local words = {}
    for _, slot in ipairs(sorted(slots)) do
        if slots[slot] > 0 then
            table.insert(words, string.format('%d:%d', slot, slots[slot]))
        end
    end
    return table.concat(words, ' ')
end

local function too_much(draw, wanted)
    return draw.most >= 0 and wanted > draw.most
end

local function window(draw, state, count)
    local slots, used, here = slots_of(draw, state)
    if count > 0 and too_much(draw, used + count) then
        local left = used + count
        for _, slot in ipairs(sorted(slots)) do
            left = left - slots[slot]
            if left <= draw.most then
                local over = (slot + 1 + SLOTS) * draw.seconds / SLOTS
                return text(slots), used, math.max(1, over - now)
            end
        end
        return text(slots), used, -1
    end
    if count > 0 then slots[here] = (slots[here] or 0) + count end
    return text(slots), used + count, 0
end

local function bucket(draw, state, count)
    if draw.most < 0 then return state, 0, 0 end
    local rate = draw.most / draw.seconds
    local level, at = string.match(state, '(%S+) (%S+)')
    level, at = tonumber(level or '') or draw.most, tonumber(at or '') or now
    if now > at then level = level + (now - at) * rate end
    level = math.min(level, draw.most)
    local wait = 0
    if level >= count then
        level = math.min(level - count, draw.most)
    else
        wait = count > draw.most and -1 or (count - level) / rate
    end
    return string.format('%.6f %.3f', level, now), draw.most - level, wait
end

local function take(draw, state, count)
    if draw.kind == 'bucket' then return bucket(draw, state, count) end
    return window(draw, state, count)
end

local function state_of(number)
    return redis.call('GET', KEYS[2 * number - 1]) or ''
end

local function put(number, state)
    local ends = math.ceil(draws[number].seconds * (1 + 1 / SLOTS)) + 1
    redis.call('SET', KEYS[2 * number - 1], state, 'EX', ends)
end

local function unseen(number, draw)
    local found = {}
    for _, item in ipairs(draw.items) do
        local ends = redis.call('ZSCORE', KEYS[2 * number], item)
        if not ends or tonumber(ends) <= now then table.insert(found, item) end
    end
    return found
end

local function see(number, draw)
    if #draw.items == 0 then return end
    local key = KEYS[2 * number]
    for _, item in ipairs(draw.items) do
        redis.call('ZADD', key, string.format('%d', now + draw.kept), item)
    end
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%d', now))
    redis.call('ZREMRANGEBYRANK', key, 0, -REMEMBERED - 1)
    redis.call('EXPIRE', key, string.format('%d', draw.kept))
end

local function count_of(draw, new)
    if draw.kept == 0 then return draw.count end
    if draw.kind == 'new' then return #new end
    return #draw.items - #new
end

local function spend()
    local levels, excess = {}, nil
    for number, draw in ipairs(draws) do
        local new = unseen(number, draw)
        local count = count_of(draw, new)
        local state, used, wait = take(draw, state_of(number), count)
        levels[number] = {state, used, new, count}
        if wait ~= 0 then
            put(number, state)
            if not excess or wait < 0 or (excess[2] >= 0 and wait > excess[2]) then
                excess = {number, wait}
            end
        end
    end
    if excess then return {excess = excess} end
    local taken = {}
    for number, draw in ipairs(draws) do
        put(number, levels[number][1])
        see(number, draw)
        taken[number] = {levels[number][4], levels[number][2], levels[number][3]}
    end
    return {taken = taken}
end

local function refund()
    for number, draw in ipairs(draws) do
        local state = state_of(number)
        if draw.kind == 'bucket' then
            state = bucket(draw, state, -draw.count)
        else
            local slots = slots_of(draw, state)
            local names, left = sorted(slots), draw.count
            for place = #names, 1, -1 do
                local less = math.min(left, slots[names[place]])
                slots[names[place]] = slots[names[place]] - less
                left = left - less
            end
            state = text(slots)
        end
        put(number, state)
        for _, item in ipairs(draw.items) do
            redis.call('ZREM', KEYS[2 * number], item)
        end
    end
    return {}
end

local function used()
    local found = {}
    for number, draw in ipairs(draws) do
        local _, count = slots_of(draw, state_of(number))
        found[number] = count
    end
    return {used = found}
end

local function reset()
    for number, draw in ipairs(draws) do
        redis.call('DEL', KEYS[2 * number - 1])
        if draw.kept <= 86400 then redis.call('DEL', KEYS[2 * number]) end
    end
    return {}
end

local acts = {spend = spend, refund = refund, used = used, reset = reset}
return cjson.encode(acts[act]())
"""
)
