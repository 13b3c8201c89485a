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
use std::io::Write as _;
use std::time::Duration;

use redis::{Cmd, Pipeline, RedisWrite, Script, ToRedisArgs, Value, cmd};
use twat_cache_core::{KeyHash, Namespace};

use crate::entry::{self, DIGITS, HEADER, State, digits};
use crate::scripts::{BEGIN, CLAIM, CLEAR, RELEASE, REMOVE, RENEW, STATE, STORE};
use crate::server::Request;

/// The names of what a cache has on the server. What is in braces decides on which node of a cluster they are: all on one.
#[derive(Debug)]
pub(crate) struct Keys {
    state: String,
    /// What entries begin with.
    entry: String,
    /// What leases begin with. It is another word, so that a near cache is not told of leases.
    lease: String,
}

impl Keys {
    /// Those of a name, in this namespace. The name is for people that look at the server.
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

    fn entry(&self, digest: KeyHash) -> Name<'_> {
        Name(&self.entry, digest)
    }

    fn lease(&self, digest: KeyHash) -> Name<'_> {
        Name(&self.lease, digest)
    }

    /// What all entries match, and nothing else.
    fn pattern(&self) -> String {
        format!("{}{}", self.entry, "?".repeat(32))
    }
}

/// A name that ends with a digest. A lookup writes one, so it does without the machinery of formats.
struct Name<'a>(&'a str, KeyHash);

impl Name<'_> {
    fn digest(&self) -> [u8; 32] {
        let mut digits = [0; 32];
        let halves = self.1.to_bytes().into_iter().rev().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.iter_mut().zip(halves).for_each(|(digit, half)| *digit = b"0123456789abcdef"[usize::from(half)]);
        digits
    }
}

impl ToRedisArgs for Name<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        write_argument(out, &[self.0.as_bytes(), &self.digest()]);
    }
}

/// Where a long value is until the script has decided whether it is stored.
struct Staged<'a>(Name<'a>, u64);

impl ToRedisArgs for Staged<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let Self(name, number) = self;
        write_argument(out, &[name.0.as_bytes(), &name.digest(), b":", digits(*number).as_bytes()]);
    }
}

/// An entry in two parts, which are not copied to one place before they are sent.
struct Parts<'a>([u8; HEADER], &'a [u8]);

impl ToRedisArgs for Parts<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        write_argument(out, &[&self.0, self.1]);
    }
}

fn write_argument(out: &mut (impl RedisWrite + ?Sized), parts: &[&[u8]]) {
    let mut argument = out.writer_for_next_arg();
    for part in parts {
        // It is written to memory.
        let _ = argument.write_all(part);
    }
}

const LONGEST_NAME: usize = 64;

/// How long a lease stays that is not renewed. The shortest patience is longer, so a waiter gets the lease of a holder that has
/// ended.
pub(crate) const LEASE: Duration = Duration::from_millis(1800);

/// A value is staged for so long, in milliseconds, if the connection breaks before it is stored.
const STAGED: u64 = 10_000;

/// A longer value is staged, because what scripts get is copied several times.
const LONGEST_ARGUMENT: usize = 1000;

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
    /// Runs a script with these arguments after those that all have.
    fn run(&self, script: &'static Script, arguments: impl ToRedisArgs) -> Request {
        let Self { keys, digest, secret, life } = *self;
        let mut command = evaluate(script);
        command.arg(3).arg(&*keys.state).arg(keys.entry(digest)).arg(keys.lease(digest));
        command.arg(&secret[..]).arg(milliseconds(life)).arg(arguments);
        Request::Script(command, script)
    }
}

fn evaluate(script: &Script) -> Cmd {
    let mut command = Cmd::with_capacity(12, 400);
    command.arg("EVALSHA").arg(script.get_hash());
    command
}

const NO_ARGUMENTS: &[u64] = &[];

pub(crate) fn make_state(about: &About<'_>) -> Request {
    about.run(&STATE, NO_ARGUMENTS)
}

pub(crate) fn read(about: &About<'_>) -> Request {
    get(about.keys, about.keys.entry(about.digest))
}

pub(crate) fn read_lease(about: &About<'_>) -> Request {
    get(about.keys, about.keys.lease(about.digest))
}

fn get(keys: &Keys, name: Name<'_>) -> Request {
    let mut command = Cmd::with_capacity(3, 256);
    command.arg("MGET").arg(&*keys.state).arg(name);
    Request::Command(command)
}

/// `since` is the number after which an entry counts as new, and `fresh_after` the deadline up to which it counts as old.
pub(crate) fn claim(about: &About<'_>, since: u64, fresh_after: u64) -> Request {
    about.run(&CLAIM, (since, fresh_after, milliseconds(LEASE)))
}

pub(crate) fn begin(about: &About<'_>) -> Request {
    about.run(&BEGIN, UNHELD)
}

/// Stores the entry of a result, or removes what it would have replaced. The state stays at least as long as `keep_state`, unless that
/// is zero.
pub(crate) fn store(about: &About<'_>, computed: &Computed<'_>, keep_state: Duration) -> Request {
    let About { keys, digest, .. } = *about;
    let Computed { number, is_refresh, life, deadline, value } = *computed;
    let entry = Parts(entry::head(digest, number, deadline, value), value);
    let mut pipeline = Pipeline::with_capacity(3);
    pipeline.get(&*keys.state);
    let mut script = evaluate(&STORE);
    let is_staged = value.len() > LONGEST_ARGUMENT;
    script.arg(if is_staged { 4 } else { 3 }).arg(keys.entry(digest)).arg(keys.lease(digest)).arg(&*keys.state);
    if is_staged {
        pipeline.cmd("SET").arg(Staged(keys.lease(digest), number)).arg(&entry).arg("PX").arg(STAGED);
        script.arg(Staged(keys.lease(digest), number));
    }
    script.arg(digits(number)).arg(u8::from(is_refresh)).arg(milliseconds(life)).arg(milliseconds(keep_state));
    if !is_staged {
        script.arg(&entry);
    }
    pipeline.add_command(script);
    pipeline.ignore_errors();
    Request::Pipeline(pipeline, Some(&STORE))
}

pub(crate) fn remove(about: &About<'_>) -> Request {
    about.run(&REMOVE, NO_ARGUMENTS)
}

pub(crate) fn clear(about: &About<'_>) -> Request {
    about.run(&CLEAR, NO_ARGUMENTS)
}

pub(crate) fn release(about: &About<'_>, number: u64) -> Request {
    about.run(&RELEASE, (digits(number), UNHELD))
}

pub(crate) fn renew(about: &About<'_>, number: u64) -> Request {
    about.run(&RENEW, (digits(number), milliseconds(LEASE)))
}

/// A part of all names, from this position on.
pub(crate) fn scan(keys: &Keys, position: &[u8]) -> Request {
    Request::Command(cmd("SCAN").arg(position).arg("MATCH").arg(keys.pattern()).arg("COUNT").arg(1000).take())
}

/// The state, and the numbers of these entries.
pub(crate) fn numbers(keys: &Keys, names: &[Vec<u8>]) -> Request {
    let mut pipeline = Pipeline::new();
    pipeline.get(&*keys.state);
    for name in names {
        pipeline.getrange(name, 0, DIGITS.cast_signed() - 1);
    }
    pipeline.ignore_errors();
    Request::Pipeline(pipeline, None)
}

/// Looks for the state and for a name that nothing has. A node refuses if another one has the cache, or if the cache is being moved.
pub(crate) fn exists(keys: &Keys) -> Cmd {
    cmd("EXISTS").arg(&*keys.state).arg(format!("{}?", keys.state)).take()
}

/// Is told of all changes of names that begin as those of the cache.
pub(crate) fn track(keys: &Keys) -> Cmd {
    cmd("CLIENT").arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(keys.prefix()).take()
}

/// Which slot of a cluster has the cache. A server that is not of a cluster refuses.
pub(crate) fn slot(keys: &Keys) -> Cmd {
    cmd("CLUSTER").arg("KEYSLOT").arg(&*keys.state).take()
}

/// What a server answers: first the state, if there is one, and last what was asked for.
pub(crate) fn split(answer: Value) -> Option<(Option<State>, Value)> {
    let Value::Array(parts) = answer else { return None };
    let mut parts = parts.into_iter();
    let state = bytes(parts.next()?).and_then(|bytes| State::read(&bytes));
    Some((state, parts.next_back().unwrap_or(Value::Nil)))
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
