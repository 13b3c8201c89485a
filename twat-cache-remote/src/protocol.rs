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
use std::time::Duration;

use redis::{Pipeline, Script, ScriptInvocation, Value};
use twat_cache_core::{KeyHash, Namespace};

use crate::entry::{self, DIGITS, State, digits};
use crate::scripts::{BEGIN, CLAIM, CLEAR, RELEASE, REMOVE, RENEW, STATE, STORE};
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

    /// How the names of the state and of all entries begin. It identifies the cache on its server.
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
