//! What a near cache learns from the server: which entries have changed.
//!
//! The server tells all changes of names that begin as those of the cache do (`CLIENT TRACKING` with `BCAST`), on a connection
//! that has no other use. The keys are divided into stripes. A change begins a new generation of its stripe, so copies that
//! were made before are not used any more, nor one that is being made.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::SendError;
use redis::{AsyncConnectionConfig, Client, Cmd, ProtocolVersion, PushInfo, PushKind, RedisResult, Value};
use tokio::time::{sleep, timeout};
use twat_cache_core::among::system::coarse_clock;
use twat_cache_core::{Error, ErrorKind, KeyHash, Stamp, WarnOnce};

use crate::protocol;
use crate::route::Route;
use crate::server::breaker::jittered;
use crate::server::{Server, run_users_code, spawn};
use crate::space::Space;

/// The generations of the entries of a space, as far as the server has told.
pub(crate) struct Tracking {
    generations: Box<[AtomicU64]>,
    /// Until when copies are used, as the coarse clock counts. The server is asked for a sign of life before that.
    until: AtomicU64,
    warned: WarnOnce,
}

const STRIPES: usize = 2048;

/// How long copies are used after a sign of life, in nanoseconds. That ends them if the connection is lost without a word, or if
/// this process was forked from the one that is told.
const VALID: u64 = 2_000_000_000;
const PAUSE: Duration = Duration::from_millis(500);
/// How long an answer may take, and the pause after a failure.
const PATIENCE: Duration = Duration::from_secs(1);

impl Tracking {
    fn new() -> Self {
        let generations = (0..STRIPES).map(|_| AtomicU64::new(0)).collect();
        Self { generations, until: AtomicU64::new(0), warned: WarnOnce::new() }
    }

    /// `None` while the server does not tell of changes.
    pub(crate) fn stamp(&self, digest: KeyHash) -> Option<Stamp> {
        let stripe = stripe_of(digest.as_u128());
        let generation = self.generations.get(stripe)?.load(Ordering::SeqCst);
        let stamp = Stamp { stripe: u32::try_from(stripe).ok()?, generation };
        self.is_current(stamp).then_some(stamp)
    }

    #[inline]
    pub(crate) fn is_current(&self, stamp: Stamp) -> bool {
        let generation = self.generations.get(stamp.stripe as usize);
        generation.is_some_and(|generation| generation.load(Ordering::SeqCst) == stamp.generation)
            && coarse_clock() < self.until.load(Ordering::SeqCst)
    }

    pub(crate) fn outdate(&self, digest: KeyHash) {
        self.outdate_stripe(stripe_of(digest.as_u128()));
    }

    fn outdate_stripe(&self, stripe: usize) {
        if let Some(generation) = self.generations.get(stripe) {
            generation.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(crate) fn outdate_all(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(crate) fn stop(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    fn is_told(&self, push: &PushInfo) {
        match push.kind {
            PushKind::Invalidate => match push.data.first() {
                Some(Value::Array(names)) => names.iter().for_each(|name| match stripe_of_name(name) {
                    Some(stripe) => self.outdate_stripe(stripe),
                    // The state of the cache: it was cleared.
                    None => self.outdate_all(),
                }),
                // Everything on the server was removed.
                _ => self.outdate_all(),
            },
            PushKind::Disconnection => self.stop(),
            _ => {}
        }
    }
}

fn stripe_of(digest: u128) -> usize {
    (digest % STRIPES as u128) as usize
}

/// That of the entry with this name; `None` if it is not an entry's.
fn stripe_of_name(name: &Value) -> Option<usize> {
    let Value::BulkString(name) = name else { return None };
    let (_, digest) = str::from_utf8(name).ok()?.rsplit_once(':')?;
    u128::from_str_radix(digest, 16).ok().filter(|_| digest.len() == 32).map(stripe_of)
}

/// Begins to follow the changes of a space, until that is gone.
pub(crate) fn track(space: &Arc<Space>) -> Arc<Tracking> {
    let tracking = Arc::new(Tracking::new());
    spawn(follow_always(Arc::downgrade(space), tracking.clone()));
    tracking
}

async fn follow_always(space: Weak<Space>, tracking: Arc<Tracking>) {
    while let Some(here) = space.upgrade() {
        let (route, server) = (here.route.clone(), here.route.server());
        let commands = [protocol::track(&route.keys), protocol::exists(&route.keys)];
        drop(here);
        if route.outage().is_none() {
            let followed = follow(&space, &tracking, &route, &server, commands).await;
            tracking.stop();
            // Of a server that is away or does not have the cache, others say so.
            if let Err(error) = followed
                && !error.is_io_error()
                && !error.is_cluster_error()
            {
                let error = Error::new(ErrorKind::Other, "follow the changes").at(&server.name).because(error);
                let tracking = tracking.clone();
                run_users_code(move || tracking.warned.warn(&error, "the near cache is not used"));
            }
        }
        drop((route, server));
        sleep(jittered(PATIENCE)).await;
    }
}

/// Follows the changes of a space as long as the connection works and the space is on this server.
async fn follow(
    space: &Weak<Space>,
    tracking: &Arc<Tracking>,
    route: &Route,
    server: &Arc<Server>,
    [begin, sign_of_life]: [Cmd; 2],
) -> RedisResult<()> {
    let info = server.client.get_connection_info().clone();
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(info.set_redis_settings(settings))?;
    let told = tracking.clone();
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_push_sender(move |push: PushInfo| {
        told.is_told(&push);
        Ok::<_, SendError>(())
    });
    let mut connection = in_time(client.get_multiplexed_async_connection_with_config(&config)).await?;
    in_time(begin.query_async::<()>(&mut connection)).await?;
    // What has changed before was not told.
    tracking.outdate_all();
    while space.strong_count() > 0 {
        let asked = coarse_clock();
        // What the server had to tell before it answers has come before the answer. A node that has lost the cache refuses.
        in_time(sign_of_life.query_async::<()>(&mut connection)).await?;
        let until = asked.saturating_add(VALID);
        if !route.while_on(server, || tracking.until.store(until, Ordering::SeqCst)) {
            break;
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str]) -> PushInfo {
        let names = names.iter().map(|name| Value::BulkString(name.as_bytes().to_vec())).collect();
        PushInfo { kind: PushKind::Invalidate, data: vec![Value::Array(names)] }
    }

    fn digest(number: u128) -> KeyHash {
        KeyHash::from_bytes(number.to_le_bytes())
    }

    #[test]
    fn a_change_that_is_told_outdates_the_copies_of_its_stripe() {
        let tracking = Tracking::new();
        assert_eq!(tracking.stamp(digest(1)), None, "nothing is told yet");
        tracking.until.store(u64::MAX, Ordering::SeqCst);
        let stamps = || [1, 2].map(|number| tracking.stamp(digest(number)).unwrap());
        let are_current = |stamps: [Stamp; 2]| stamps.map(|stamp| tracking.is_current(stamp));
        let before = stamps();
        tracking.is_told(&told(&[&format!("tc1:{{a:b}}:{}", digest(1))]));
        assert_eq!(are_current(before), [false, true]);
        for all in [told(&["tc1:{a:b}:g"]), PushInfo { kind: PushKind::Invalidate, data: vec![Value::Nil] }] {
            let before = stamps();
            tracking.is_told(&all);
            assert_eq!(are_current(before), [false, false]);
        }
        let before = stamps();
        tracking.is_told(&PushInfo { kind: PushKind::Disconnection, data: vec![] });
        assert_eq!(are_current(before), [false, false]);
        assert_eq!(tracking.stamp(digest(1)), None);
    }

    #[test]
    fn without_a_sign_of_life_copies_are_not_used() {
        let tracking = Tracking::new();
        tracking.until.store(coarse_clock() + 1_000_000_000_000, Ordering::SeqCst);
        let stamp = tracking.stamp(digest(1)).unwrap();
        tracking.until.store(coarse_clock(), Ordering::SeqCst);
        assert!(!tracking.is_current(stamp) && tracking.stamp(digest(1)).is_none());
    }
}
