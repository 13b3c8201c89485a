//! What a cache asks the server, and how it reads the answers.
//!
//! Numbers order computations, in all processes. They are microseconds of the server's clock, and only increase. A computation
//! has a number from when it begins.
//!
//! While a key is computed, it has a lease on the server: the numbers of the first and of the last computation that may be
//! stored, and that of its holder, or 0. All three have sixteen digits. A result is stored if its number is not before the first.
//! `clear` and `remove` end the lease, and a refresh that is stored makes itself the first, so what began before is outdated.
//!
//! A holder has claimed the computation, and others wait for its result. It renews the lease, which ends soon after its holder.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{Pipeline, Script, ScriptInvocation, Value};
use twat_cache_core::{KeyHash, Namespace};

use crate::entry::{self, DIGITS, State, digits};
use crate::server::Request;

/// The names of what a cache has on the server. What is in braces decides on which node of a cluster they are: all on one.
#[derive(Debug)]
pub(crate) struct Keys {
    state: String,
    /// What entries begin with.
    entry: String,
    /// What leases begin with. It is another word, so that who follows the changes of entries is not told of leases.
    lease: String,
}

impl Keys {
    /// Those of a name, in this namespace. The name is there for people who look at the server.
    pub(crate) fn new(name: &str, namespace: &Namespace) -> Self {
        let mut tag = String::new();
        for byte in name.bytes().take(LONGEST_NAME) {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => tag.push(char::from(byte)),
                _ => _ = write!(tag, "%{byte:02X}"),
            }
        }
        let tag = format!("{{{tag}:{:016x}}}", namespace.id());
        Self { state: format!("tc1:{tag}:g"), entry: format!("tc1:{tag}:"), lease: format!("tc1l:{tag}:") }
    }

    /// What identifies the cache on its server.
    pub(crate) fn prefix(&self) -> &str {
        &self.entry
    }

    fn entry(&self, digest: KeyHash) -> String {
        with_digest(&self.entry, digest)
    }

    fn lease(&self, digest: KeyHash) -> String {
        with_digest(&self.lease, digest)
    }

    /// What all entries match, and nothing else.
    fn pattern(&self) -> String {
        format!("{}{}", self.entry, "?".repeat(32))
    }
}

/// A lookup makes one of these, so it does without the machinery of formats.
fn with_digest(prefix: &str, digest: KeyHash) -> String {
    let mut name = String::with_capacity(prefix.len() + 32);
    name.push_str(prefix);
    for byte in digest.to_bytes().into_iter().rev() {
        for digit in [byte >> 4, byte & 15] {
            name.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    name
}

const LONGEST_NAME: usize = 64;

/// How long a lease stays that is not renewed.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// How long a computation may take whose lease has no holder, in milliseconds.
const UNHELD: u64 = 60 * 60 * 1000;

/// What all scripts begin with. They have the keys of the state, of an entry and of its lease, and two arguments: the secret of a
/// new state, and how long it stays. What is not as it should be counts as absent. Numbers have to be exact in floating point.
const PRELUDE: &str = r"
local function number(text, from)
  local number = tonumber(string.sub(text, from, from + 15))
  return number and number > 0 and number < 9e15 and number or 0
end
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
    ($($(#[$doc:meta])* $name:ident = $body:expr;)+) => {
        $(
            $(#[$doc])*
            static $name: LazyLock<Script> = LazyLock::new(|| Script::new(&format!("{PRELUDE}{}", $body)));
        )+
    };
}

scripts! {
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
    /// Arguments: the number of the computation, whether it is a refresh, how long the entry stays, the entry. The answer is 2
    /// if it is stored and the lease stays, because others may compute as well.
    STORE = r"
local began, is_refresh, life = tonumber(ARGV[3]), ARGV[4] == '1', tonumber(ARGV[5])
if first == 0 or began < first then
  if is_refresh and number(entry(), 1) <= began then redis.call('DEL', KEYS[2]) end
  return {state, 0}
end
if life == 0 then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], ARGV[6], 'PX', ARGV[5])
  if redis.call('PTTL', KEYS[1]) < life then redis.call('PEXPIRE', KEYS[1], life * 2) end
end
if last == began and (is_refresh or first == began) then
  redis.call('DEL', KEYS[3])
  return {state, 1}
end
if is_refresh then set_lease(began + 1, last, holder) end
return {state, 2}
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
    /// Arguments: the number of the holder, and how long the lease stays.
    RENEW = r"
local is_ours = holder == tonumber(ARGV[3])
if is_ours then redis.call('PEXPIRE', KEYS[3], ARGV[4]) end
return {state, is_ours and 1 or 0}
";
}

/// The result of a computation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Computed<'a> {
    pub(crate) number: u64,
    pub(crate) is_refresh: bool,
    /// How long it stays. With zero, it is not kept.
    pub(crate) life: Duration,
    pub(crate) deadline: u64,
    pub(crate) value: &'a [u8],
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) keys: &'a Keys,
    pub(crate) digest: KeyHash,
    /// For a new state: its secret, and how long it stays.
    pub(crate) secret: [u8; 16],
    pub(crate) life: Duration,
}

impl About<'_> {
    fn script(&self, script: &'static Script) -> ScriptInvocation<'static> {
        let Self { keys, digest, secret, life } = *self;
        let mut script = script.key(&*keys.state);
        script.key(keys.entry(digest)).key(keys.lease(digest)).arg(&secret[..]).arg(milliseconds(life));
        script
    }
}

pub(crate) fn make_state(about: &About<'_>) -> Request {
    Request::Script(about.script(&STATE))
}

pub(crate) fn read(about: &About<'_>) -> Request {
    Request::Command(redis::cmd("MGET").arg(&*about.keys.state).arg(about.keys.entry(about.digest)).take())
}

pub(crate) fn read_lease(about: &About<'_>) -> Request {
    Request::Command(redis::cmd("MGET").arg(&*about.keys.state).arg(about.keys.lease(about.digest)).take())
}

/// `since` is the number after which an entry counts as new, and `fresh_after` the deadline up to which it counts as old.
pub(crate) fn claim(about: &About<'_>, since: u64, fresh_after: u64) -> Request {
    let mut script = about.script(&CLAIM);
    script.arg(since).arg(fresh_after).arg(milliseconds(LEASE));
    Request::Script(script)
}

pub(crate) fn begin(about: &About<'_>) -> Request {
    let mut script = about.script(&BEGIN);
    script.arg(UNHELD);
    Request::Script(script)
}

/// Stores the entry of a result, or removes what it would have replaced.
pub(crate) fn store(about: &About<'_>, computed: &Computed<'_>) -> Request {
    let Computed { number, is_refresh, life, deadline, value } = *computed;
    let mut script = about.script(&STORE);
    script.arg(digits(number)).arg(u8::from(is_refresh)).arg(milliseconds(life));
    script.arg(entry::write(about.digest, number, deadline, value));
    Request::Script(script)
}

pub(crate) fn remove(about: &About<'_>) -> Request {
    Request::Script(about.script(&REMOVE))
}

pub(crate) fn clear(about: &About<'_>) -> Request {
    Request::Script(about.script(&CLEAR))
}

pub(crate) fn release(about: &About<'_>, number: u64) -> Request {
    let mut script = about.script(&RELEASE);
    script.arg(digits(number)).arg(UNHELD);
    Request::Script(script)
}

pub(crate) fn renew(about: &About<'_>, number: u64) -> Request {
    let mut script = about.script(&RENEW);
    script.arg(digits(number)).arg(milliseconds(LEASE));
    Request::Script(script)
}

/// A part of all names, from this position on.
pub(crate) fn scan(keys: &Keys, position: &[u8]) -> Request {
    Request::Command(redis::cmd("SCAN").arg(position).arg("MATCH").arg(keys.pattern()).arg("COUNT").arg(1000).take())
}

/// The state, and the numbers of these entries.
pub(crate) fn numbers(keys: &Keys, names: &[Vec<u8>]) -> Request {
    let mut pipeline = Pipeline::new();
    pipeline.get(&*keys.state);
    for name in names {
        pipeline.getrange(name, 0, DIGITS.cast_signed() - 1);
    }
    Request::Pipeline(pipeline)
}

/// What a server answers: the state, if there is one, and what was asked for.
pub(crate) fn split(answer: Value) -> Option<(Option<State>, Value)> {
    let Value::Array(parts) = answer else { return None };
    let mut parts = parts.into_iter();
    let state = bytes(parts.next()?).and_then(|bytes| State::read(&bytes));
    Some((state, parts.next().unwrap_or(Value::Nil)))
}

pub(crate) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

/// At least one, if it is any time, and at most a hundred years: servers have a limit, too.
fn milliseconds(time: Duration) -> u64 {
    const LONGEST: u128 = 100 * 365 * 24 * 60 * 60 * 1000;
    u64::try_from(time.as_nanos().div_ceil(1_000_000).min(LONGEST)).unwrap_or_default()
}
