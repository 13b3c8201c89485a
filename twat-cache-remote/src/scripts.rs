//! What runs on the server. [`protocol`](crate::protocol) says what the numbers in it are.

use std::sync::LazyLock;

use redis::Script;

/// What is not as it should be counts as absent. Numbers have to be exact in floating point.
const NUMBER: &str = r"
local function number(text, from)
  local number = tonumber(string.sub(text, from, from + 15))
  return number and number > 0 and number < 9e15 and number or 0
end
";

/// What most scripts begin with. They have the keys of the state, of an entry and of its lease, and two arguments: the secret of a
/// new state, and how long it stays.
const PRELUDE: &str = r"
local function digits(number) return string.format('%016.0f', number) end
local found = redis.call('MGET', KEYS[1], KEYS[3])
local state, lease = found[1] or '', found[2] or ''
local cleared = #state == 32 and number(state, 1) or 0
if cleared == 0 then state = '' end
local first, last, holder = number(lease, 1), number(lease, 17), number(lease, 33)
if cleared == 0 or first <= cleared then first, last, holder = 0, 0, 0 end
local function entry()
  local found = redis.pcall('GETRANGE', KEYS[2], 0, 23)
  return type(found) == 'string' and found or ''
end
local function is_current(entry) return cleared > 0 and number(entry, 1) > cleared end
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
local function set_state(number)
  cleared = number
  state = digits(number) .. (state == '' and ARGV[1] or string.sub(state, 17))
  redis.call('SET', KEYS[1], state, 'PX', ARGV[2])
end
local function set_lease(first, last, holder, life)
  redis.call('SET', KEYS[3], digits(first) .. digits(last) .. digits(holder), unpack(life and {'PX', life} or {'KEEPTTL'}))
end
local function begin(entry)
  if cleared == 0 then set_state(now()) end
  return math.max(now(), cleared + 1, number(entry, 1) + 1, last + 1)
end
";

macro_rules! scripts {
    ($prelude:expr; $($(#[$doc:meta])* $name:ident = $body:expr;)+) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(&[NUMBER, $prelude, $body].concat()));
        )+
    };
}

scripts! { PRELUDE;
    /// Makes the state, if there is none.
    STATE = "if cleared == 0 then set_state(now()) end return {state}";
    /// Arguments: since when an entry counts as new, up to which deadline it counts as old, how long a lease stays.
    CLAIM = r"
local entry = entry()
if is_current(entry) and number(entry, 1) > tonumber(ARGV[3]) and #entry == 24 then
  local deadline = 0
  for i = 24, 17, -1 do deadline = deadline * 256 + string.byte(entry, i) end
  if deadline == 0 or deadline > tonumber(ARGV[4]) then return {state, 'there'} end
end
if holder > 0 then return {state, 'held'} end
local began = begin(entry)
set_lease(first > 0 and first or began, began, began, ARGV[5])
return {state, digits(began)}
";
    /// Argument: how long a lease without a holder stays.
    BEGIN = r"
local began = begin(entry())
if first > 0 then
  set_lease(first, began, holder)
else
  set_lease(began, began, 0, ARGV[3])
end
return {state, digits(began)}
";
    /// Answers with the beginning of the entry that was there.
    REMOVE = r"
local entry = entry()
redis.call('DEL', KEYS[2], KEYS[3])
return {state, is_current(entry) and entry or ''}
";
    CLEAR = "set_state(math.max(now(), cleared + 1)) return {state}";
    /// Arguments: the number of the holder, and how long a lease without one stays.
    RELEASE = r"
local began = tonumber(ARGV[3])
if holder == began then
  if first == began and last == began then
    redis.call('DEL', KEYS[3])
  else
    set_lease(first, last, 0, ARGV[4])
  end
end
return {state}
";
    /// Arguments: the number of the holder, and how long the lease stays. The state stays as long as a computation takes.
    RENEW = r"
local is_ours = holder == tonumber(ARGV[3])
if is_ours then
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
end
return {state, is_ours and 1 or 0}
";
}

scripts! { "";
    /// Keys: those of the entry, of its lease, of the state, and of the value if that is staged. Arguments: the number of the
    /// computation, whether it is a refresh, how long the entry stays, how long the state stays at least or 0, and the entry if it
    /// is not staged. The answer is 2 if it is stored and the lease stays, because others may compute as well.
    ///
    /// It does not look at the state: what began before a `clear` has no lease any more if something began since, and else its
    /// entry counts as absent.
    STORE = r"
local began, is_refresh, life = ARGV[1], ARGV[2] == '1', ARGV[3]
local lease = redis.pcall('GET', KEYS[2])
if type(lease) ~= 'string' or #lease ~= 48 then lease = '' end
local first, last = began, began
if string.sub(lease, 1, 32) ~= began .. began then
  began, first, last = tonumber(began), number(lease, 1), number(lease, 17)
end
local function store()
  if life == '0' then
    redis.call('DEL', KEYS[1])
  elseif KEYS[4] then
    if redis.pcall('RENAME', KEYS[4], KEYS[1]).err then return false end
    redis.call('PEXPIRE', KEYS[1], life)
  else
    redis.call('SET', KEYS[1], ARGV[5], 'PX', life)
  end
  if ARGV[4] ~= '0' and redis.call('PTTL', KEYS[3]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[3], ARGV[4]) end
  return true
end
if first == 0 or began < first or not store() then
  if KEYS[4] then redis.call('DEL', KEYS[4]) end
  if is_refresh then
    local entry = redis.pcall('GETRANGE', KEYS[1], 0, 15)
    if type(entry) ~= 'string' or number(entry, 1) <= tonumber(began) then redis.call('DEL', KEYS[1]) end
  end
  return 0
end
if last == began and (is_refresh or first == began) then
  redis.call('DEL', KEYS[2])
  return 1
end
if is_refresh then
  redis.call('SET', KEYS[2], string.format('%016.0f', began + 1) .. string.sub(lease, 17), 'KEEPTTL')
end
return 2
";
}
