//! The entries of a cache on a server, as all stores of this process see them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use redis::Value;
use twat_cache_core::among::system::coarse_clock;
use twat_cache_core::{Args, Error, ErrorKind, KeyHash, Namespace, Stamp};

use crate::digest::Digest;
use crate::entry::{Entry, State, read_head, split_number};
use crate::protocol::{self, About, Computed};
use crate::route::Route;
use crate::server::{Limit, Request};
use crate::terms::{Claimed, Fresh, Stored, Terms};
use crate::tracking::track;

/// The entries of one name, version and type.
pub(crate) struct Space {
    pub(crate) route: Arc<Route>,
    /// Makes the namespace of the entries of that of the secret.
    within: Box<dyn Fn(&Namespace) -> Namespace + Send + Sync>,
    /// Made from this secret, which all machines share.
    namespace: RwLock<Option<([u8; 16], Namespace)>>,
    /// Until when the state stays at least, as the coarse clock counts.
    state_stays: AtomicU64,
}

impl Space {
    pub(crate) fn new(route: Arc<Route>, within: impl Fn(&Namespace) -> Namespace + Send + Sync + 'static) -> Self {
        let (within, namespace) = (Box::new(within), RwLock::new(None));
        Self { route, within, namespace, state_stays: AtomicU64::new(0) }
    }

    /// The secret of the server, which gets one if it has none.
    async fn secret(&self, terms: Terms, limit: impl FnOnce() -> Limit) -> Result<[u8; 16], Error> {
        self.route.check_process()?;
        if let Some((secret, _)) = *self.namespace.read() {
            return Ok(secret);
        }
        let secret = Namespace::random_secret();
        let about = About { keys: &self.route.keys, digest: NO_KEY, secret, life: terms.life };
        let answer = self.route.ask(|| protocol::make_state(&about), limit(), terms.via).await?;
        let (state, _) = protocol::split(answer).ok_or_else(|| self.another_form())?;
        Ok(state.map_or(secret, |state| state.secret))
    }

    #[inline]
    fn namespace(&self, secret: [u8; 16]) -> Namespace {
        if let Some((_, namespace)) = self.namespace.read().filter(|(of, _)| *of == secret) {
            return namespace;
        }
        let namespace = (self.within)(&Namespace::from_secret(secret));
        *self.namespace.write() = Some((secret, namespace));
        // It is another state, and the stamps of copies were made with the other secret.
        self.state_stays.store(0, Ordering::Relaxed);
        self.outdate_all();
        namespace
    }

    /// The stamp of a key, for a near cache; `None` if the server does not tell of changes.
    pub(crate) fn stamp<K: Args + ?Sized>(self: &Arc<Self>, key: &K) -> Option<Stamp> {
        if self.route.is_forked() {
            return None;
        }
        let tracking = self.route.tracking.get_or_init(|| track(self));
        let (_, namespace) = (*self.namespace.read())?;
        tracking.stamp(namespace.digest_of(key))
    }

    #[inline]
    pub(crate) fn is_current(&self, stamp: Stamp) -> bool {
        self.route.tracking.get().is_some_and(|tracking| tracking.is_current(stamp))
    }

    /// Makes copies of a key in near caches of this process invalid. They do not wait to be told of its own changes, and nobody
    /// tells of results that the server does not have.
    pub(crate) fn outdate(&self, key: &impl Digest) {
        if self.route.is_forked() {
            return;
        }
        // A copy, because a digest is made by the user's code. Without a secret, there are no copies.
        let namespace = *self.namespace.read();
        if let (Some(tracking), Some((_, namespace))) = (self.route.tracking.get(), namespace) {
            tracking.outdate(key.digest(&namespace));
        }
    }

    pub(crate) fn outdate_all(&self) {
        self.route.tracking.get().inspect(|tracking| tracking.outdate_all());
    }

    /// Asks the server for its state, which also tells whether it is there.
    pub(crate) async fn connect(&self, terms: Terms) -> Result<(), Error> {
        self.ask(&NO_KEY, terms, terms.step(), protocol::make_state).await.map(drop)
    }

    pub(crate) async fn digest(&self, key: &impl Digest, terms: Terms) -> Result<KeyHash, Error> {
        let secret = self.secret(terms, || Limit::new(terms.step())).await?;
        Ok(key.digest(&self.namespace(secret)))
    }

    /// Asks about a key, again if the secret is another one by now. All that may take as long as the limit.
    async fn ask(
        &self,
        key: &impl Digest,
        terms: Terms,
        limit: Duration,
        request: impl Fn(&About<'_>) -> Request,
    ) -> Result<(KeyHash, Option<State>, Value), Error> {
        let limit = Limit::new(limit);
        let mut secret = self.secret(terms, || limit).await?;
        for _ in 0..3 {
            let digest = key.digest(&self.namespace(secret));
            let about = About { keys: &self.route.keys, digest, secret, life: terms.life };
            let answer = self.route.ask(|| request(&about), limit, terms.via).await?;
            let (state, answer) = protocol::split(answer).ok_or_else(|| self.another_form())?;
            match state {
                Some(state) if state.secret != secret => secret = state.secret,
                state => return Ok((digest, state, answer)),
            }
        }
        Err(self.corrupt("its secret changes all the time"))
    }

    /// Finds the entry of a key, if its computation began after `since`.
    pub(crate) async fn find(&self, key: &impl Digest, since: u64, terms: Terms) -> Result<Option<Entry>, Error> {
        let (digest, state, found) = self.ask(key, terms, terms.lookup(), protocol::read).await?;
        let (Some(state), Value::BulkString(bytes)) = (state, found) else { return Ok(None) };
        let entry = Entry::read(digest, bytes).ok_or_else(|| self.corrupt("an entry's checksum is wrong"))?;
        Ok((entry.number > state.cleared.max(since)).then_some(entry))
    }

    pub(crate) async fn claim(&self, digest: KeyHash, fresh: &Fresh, terms: Terms) -> Result<Claimed, Error> {
        let (since, after) = (fresh.since, fresh.after());
        let (_, _, answer) =
            self.ask(&digest, terms, terms.step(), |about| protocol::claim(about, since, after)).await?;
        Ok(match &*protocol::bytes(answer).unwrap_or_default() {
            b"there" => Claimed::There,
            b"held" => Claimed::Held,
            number => Claimed::Granted(self.number(number)?),
        })
    }

    pub(crate) async fn begin(&self, key: &impl Digest, terms: Terms) -> Result<u64, Error> {
        let (_, _, answer) = self.ask(key, terms, terms.step(), protocol::begin).await?;
        self.number(&protocol::bytes(answer).unwrap_or_default())
    }

    /// Stores a result, if it is current. The state stays longer than the entry.
    pub(crate) async fn store(
        &self,
        key: &impl Digest,
        computed: &Computed<'_>,
        terms: Terms,
    ) -> Result<(KeyHash, Stored), Error> {
        let after = |time: Duration| coarse_clock().saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        let (life, twice) = (computed.life, computed.life.saturating_mul(2));
        let is_known_to_stay = after(life) <= self.state_stays.load(Ordering::Relaxed);
        let (keep_state, stays) = (if is_known_to_stay { Duration::ZERO } else { twice }, after(twice));
        let (digest, state, answer) =
            self.ask(key, terms, terms.step(), |about| protocol::store(about, computed, keep_state)).await?;
        let is_outdated = state.is_none_or(|state| computed.number <= state.cleared);
        let stored = match answer {
            Value::Int(1 | 2) if is_outdated => Stored::Outdated,
            Value::Int(1) => Stored::Alone,
            Value::Int(2) => Stored::WithOthers,
            _ => Stored::Outdated,
        };
        if stored != Stored::Outdated && !is_known_to_stay {
            self.state_stays.store(stays, Ordering::Relaxed);
        }
        Ok((digest, stored))
    }

    /// Removes an entry, and gives its deadline.
    pub(crate) async fn remove(&self, key: &impl Digest, terms: Terms) -> Result<Option<(u64, u64)>, Error> {
        let (_, _, answer) = self.ask(key, terms, terms.step(), protocol::remove).await?;
        Ok(protocol::bytes(answer).and_then(|head| read_head(&head)))
    }

    pub(crate) async fn clear(&self, terms: Terms) -> Result<(), Error> {
        // The state is written again, and may then stay for a shorter time.
        self.state_stays.store(0, Ordering::Relaxed);
        self.ask(&NO_KEY, terms, terms.step(), protocol::clear).await.map(drop)
    }

    /// Whether the result of the computation with this number can be stored.
    pub(crate) async fn is_begun(&self, key: &impl Digest, number: u64, terms: Terms) -> Result<bool, Error> {
        let (_, state, lease) = self.ask(key, terms, terms.step(), protocol::read_lease).await?;
        let first = protocol::bytes(lease).and_then(|lease| Some(split_number(&lease)?.0));
        Ok(first.zip(state).is_some_and(|(first, state)| number >= first && first > state.cleared))
    }

    pub(crate) async fn release(&self, digest: KeyHash, number: u64, terms: Terms) {
        // If this fails, the lease ends by itself.
        let _ = self.ask(&digest, terms, terms.step(), |about| protocol::release(about, number)).await;
    }

    /// Keeps a lease from ending; `false` if it has ended.
    pub(crate) async fn renew(&self, digest: KeyHash, number: u64, terms: Terms) -> Result<bool, Error> {
        let (_, _, answer) = self.ask(&digest, terms, terms.step(), |about| protocol::renew(about, number)).await?;
        Ok(answer == Value::Int(1))
    }

    /// How many entries there are. It looks at the names of everything that the server has.
    pub(crate) async fn len(&self, since: u64, terms: Terms) -> Result<usize, Error> {
        // The server that has the cache. Another one has no names to tell of.
        self.connect(terms).await?;
        let (mut position, mut names) = (b"0".to_vec(), HashSet::new());
        loop {
            let page = self
                .route
                .ask(|| protocol::scan(&self.route.keys, &position), Limit::new(terms.step()), terms.via)
                .await?;
            let Value::Array(page) = page else { return Err(self.another_form()) };
            let [next, Value::Array(found)] = <[Value; 2]>::try_from(page).unwrap_or([Value::Nil, Value::Nil]) else {
                return Err(self.another_form());
            };
            names.extend(found.into_iter().filter_map(protocol::bytes));
            position = protocol::bytes(next).unwrap_or_default();
            if position == b"0" {
                break;
            }
        }
        let names: Vec<_> = names.into_iter().collect();
        let mut len = 0;
        for names in names.chunks(1000) {
            let answer = self
                .route
                .ask(|| protocol::numbers(&self.route.keys, names), Limit::new(terms.step()), terms.via)
                .await?;
            let Value::Array(answer) = answer else { return Err(self.another_form()) };
            let mut answer = answer.into_iter().map(protocol::bytes);
            let state = answer.next().flatten().and_then(|state| State::read(&state));
            let Some(state) = state else { continue };
            let numbers = answer.flatten().filter_map(|number| Some(split_number(&number)?.0));
            len += numbers.filter(|number| *number > state.cleared.max(since)).count();
        }
        Ok(len)
    }

    fn number(&self, digits: &[u8]) -> Result<u64, Error> {
        let number = split_number(digits).map(|(number, _)| number);
        number.ok_or_else(|| self.another_form())
    }

    fn another_form(&self) -> Error {
        self.corrupt("the answer has another form")
    }

    fn corrupt(&self, why: &'static str) -> Error {
        Error::new(ErrorKind::Corrupt, "read an entry").at(self.route.name()).because(why)
    }
}

/// For what concerns all keys.
pub(crate) const NO_KEY: KeyHash = KeyHash::from_bytes([0; 16]);
