use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::sync::Mutex;
use crate::{Claim, Error, Found, KeyHash, KeyedStore, Namespace, Process, Store, Ticket, ViewStore, WarnOnce};

/// A store that can fail, and one that steps in for it.
///
/// As long as the primary works, it alone is used. Where it fails, one warning is logged per kind of error, and
///
/// - after a [lasting](crate::ErrorKind::is_lasting) error the secondary takes over for good;
/// - after any other the secondary keeps the one result that the primary would not take, and the primary is asked
///   again next time: a disk that was full may have room by then.
///
/// So no call meets an error. Only `remove` and `clear` ask the primary in any case and report its error, for then it still
/// holds what it was told to drop. This process does not show it, but the next one to open the primary may find it.
///
/// What the secondary keeps is this process's: others that share the primary neither see it nor forget it, until the
/// primary has a result for its key again.
///
/// ```
/// use twat_cache_core::{Fallback, LruStore, Memo};
/// # let on_disk = LruStore::new(10);
///
/// let store = Fallback::new(on_disk, LruStore::new(1024));
/// let square = Memo::new(store, |n: &u64| n * n);
/// assert_eq!(square.call(&12), 144);
/// ```
pub struct Fallback<P, S> {
    process: Process,
    primary: P,
    secondary: S,
    /// What is out of the ordinary, as bits; 0 as long as the primary works.
    state: AtomicU8,
    namespace: Namespace,
    /// Keys for which the primary holds a value that it would neither replace nor remove.
    distrusted: Mutex<HashSet<KeyHash>>,
    /// How many times something was distrusted. What the primary did before one of them does not end it.
    distrusts: AtomicU64,
    warned: WarnOnce,
    suppressed_errors: AtomicU64,
}

/// The primary is not used any more.
const LEFT: u8 = 1;
/// The secondary may have entries, newer than the primary's.
const LENT: u8 = 2;
/// Some keys are distrusted.
const DISTRUST: u8 = 4;
/// All keys are distrusted, until the primary can be cleared.
const DISTRUST_ALL: u8 = 8;

/// With more distrusted keys than this, none is trusted.
const MAX_DISTRUSTED: usize = 1 << 16;

impl<P, S> Fallback<P, S> {
    /// Uses `primary`, and `secondary` where that fails.
    pub fn new(primary: P, secondary: S) -> Self {
        Self {
            process: Process::this(),
            primary,
            secondary,
            state: AtomicU8::new(0),
            namespace: Namespace::process(),
            distrusted: Mutex::default(),
            distrusts: AtomicU64::new(0),
            warned: WarnOnce::new(),
            suppressed_errors: AtomicU64::new(0),
        }
    }

    /// The store that is used as long as it works.
    pub fn primary(&self) -> &P {
        &self.primary
    }

    /// The store that steps in.
    pub fn secondary(&self) -> &S {
        &self.secondary
    }

    /// Whether the secondary has taken over for good.
    pub fn has_switched(&self) -> bool {
        self.state() & LEFT != 0
    }

    #[inline]
    fn state(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }

    fn set(&self, bit: u8) {
        self.state.fetch_or(bit, Ordering::AcqRel);
    }

    /// Logs what the primary did; says whether the secondary has taken over for good.
    #[cold]
    fn failed(&self, error: &Error) -> bool
    where
        S: Store,
    {
        self.suppressed_errors.fetch_add(1, Ordering::Relaxed);
        let lasting = error.kind().is_lasting();
        let secondary = self.secondary.describe();
        if lasting {
            self.set(LEFT);
            self.warned.warn(error, format_args!("{secondary} takes over"));
        } else {
            self.warned.warn(error, format_args!("going on without it, in {secondary}, and trying again next time"));
        }
        lasting
    }

    fn distrust_all(&self) {
        self.distrusts.fetch_add(1, Ordering::SeqCst);
        self.set(DISTRUST_ALL);
    }

    fn distrust(&self, digest: KeyHash) {
        self.distrusts.fetch_add(1, Ordering::SeqCst);
        match self.process.lock(&self.distrusted) {
            Some(mut distrusted) if distrusted.len() < MAX_DISTRUSTED => {
                distrusted.insert(digest);
                self.set(DISTRUST);
            }
            _ => self.set(DISTRUST_ALL),
        }
    }

    fn distrusts(&self, state: u8, digest: impl Fn() -> KeyHash) -> bool {
        let is_one = || self.process.lock(&self.distrusted).is_none_or(|distrusted| distrusted.contains(&digest()));
        state & DISTRUST_ALL != 0 || state & DISTRUST != 0 && is_one()
    }

    /// The primary's entry is what it should be again.
    fn trust(&self, since: u64, digest: impl FnOnce() -> KeyHash) {
        if self.state() & DISTRUST != 0
            && let Some(mut distrusted) = self.process.lock(&self.distrusted)
            && self.distrusts.load(Ordering::SeqCst) == since
        {
            distrusted.remove(&digest());
        }
    }

    /// The primary has nothing old any more.
    fn trust_all(&self, since: u64) {
        // Under the lock, as in `distrust`: of a key that is added meanwhile, the bit must stay.
        let Some(mut distrusted) = self.process.lock(&self.distrusted) else { return };
        if self.distrusts.load(Ordering::SeqCst) != since {
            return;
        }
        distrusted.clear();
        self.state.fetch_and(!(DISTRUST | DISTRUST_ALL), Ordering::AcqRel);
    }

    /// Lets the primary drop something, also one that has been left: it may be opened again by another process. What it
    /// cannot drop is distrusted.
    fn dropped<T>(&self, drop: impl FnOnce(&P) -> Result<T, Error>, distrust: impl FnOnce()) -> Result<T, Error>
    where
        S: Store,
    {
        drop(&self.primary).inspect_err(|error| {
            self.failed(error);
            distrust();
        })
    }

    /// Reads from whichever store has the say about `key`.
    #[inline]
    fn read<K: Hash + ?Sized, T>(
        &self,
        key: &K,
        primary: impl FnOnce(&P) -> Result<Option<T>, Error>,
        secondary: impl Fn(&S) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error>
    where
        S: KeyedStore<K>,
    {
        let state = self.state();
        // First the primary: what was lent, it has not, unless somebody else has stored it there since.
        let found = if state & LEFT != 0 || self.distrusts(state, || self.namespace.digest(key)) {
            None
        } else {
            primary(&self.primary).unwrap_or_else(|error| {
                self.failed(&error);
                None
            })
        };
        match found {
            _ if state & LENT == 0 => Ok(found),
            Some(found) => {
                // What was lent is older, and must not come back when this is gone.
                let _ = self.secondary.remove(key);
                Ok(Some(found))
            }
            None => secondary(&self.secondary),
        }
    }
}

impl<P, S> Store for Fallback<P, S>
where
    P: Store,
    S: Store<Value = P::Value>,
{
    type Value = P::Value;

    fn len(&self) -> Result<usize, Error> {
        let secondary = self.secondary.len()?;
        if self.has_switched() {
            return Ok(secondary);
        }
        match self.primary.len() {
            Ok(primary) => Ok(secondary + primary),
            Err(error) if self.failed(&error) => Ok(secondary),
            Err(error) => Err(error),
        }
    }

    fn clear(&self) -> Result<(), Error> {
        let since = self.distrusts.load(Ordering::SeqCst);
        let secondary = self.secondary.clear();
        self.dropped(P::clear, || self.distrust_all())?;
        self.trust_all(since);
        secondary
    }

    fn ttl(&self) -> Option<Duration> {
        self.primary.ttl()
    }

    fn describe(&self) -> String {
        let (primary, secondary) = (self.primary.describe(), self.secondary.describe());
        match self.state() {
            state if state & LEFT != 0 => format!("{secondary}, instead of {primary}"),
            state if state & LENT != 0 => format!("{primary}, and {secondary} for what that did not take"),
            _ => primary,
        }
    }

    fn suppressed_errors(&self) -> u64 {
        self.suppressed_errors.load(Ordering::Relaxed)
            + self.primary.suppressed_errors()
            + self.secondary.suppressed_errors()
    }
}

impl<K, P, S> KeyedStore<K> for Fallback<P, S>
where
    K: Hash + ?Sized,
    P: KeyedStore<K>,
    S: KeyedStore<K, Value = P::Value>,
{
    #[inline]
    fn get(&self, key: &K) -> Result<Option<P::Value>, Error> {
        self.read(key, |primary| primary.get(key), |secondary| secondary.get(key))
    }

    fn insert(&self, key: &K, value: &P::Value) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let since = self.distrusts.load(Ordering::SeqCst);
        let secondary = self.secondary.remove(key);
        let digest = || self.namespace.digest(key);
        let removed = self.dropped(|primary| primary.remove(key), || self.distrust(digest()))?;
        self.trust(since, digest);
        Ok(secondary? | removed)
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<P::Value>>, Error> {
        self.read(key, |primary| primary.get_with_ttl(key), |secondary| secondary.get_with_ttl(key))
    }

    fn insert_with_ttl(&self, key: &K, value: &P::Value, time: Option<Duration>) -> Result<(), Error> {
        self.put(key, value, time, |primary| primary.insert_with_ttl(key, value, time).map(|()| true)).map(drop)
    }

    fn begin(&self, key: &K) -> Ticket {
        if self.has_switched() { Ticket::default() } else { self.primary.begin(key) }
    }

    fn insert_begun(&self, key: &K, value: &P::Value, ticket: Ticket) -> Result<bool, Error> {
        self.put(key, value, None, |primary| primary.insert_begun(key, value, ticket))
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        if self.has_switched() { Claim::free() } else { self.primary.claim(key, patience) }
    }
}

impl<P, S> Fallback<P, S> {
    /// Stores a value in the primary by `insert`, or else in the secondary; says whether it is current.
    fn put<K>(
        &self,
        key: &K,
        value: &P::Value,
        time: Option<Duration>,
        insert: impl FnOnce(&P) -> Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        P: KeyedStore<K>,
        S: KeyedStore<K, Value = P::Value>,
    {
        if !self.has_switched() {
            let since = self.distrusts.load(Ordering::SeqCst);
            // Where nothing of it is trusted, it must be rid of everything before it takes something new.
            let cleared = if self.state() & DISTRUST_ALL == 0 { Ok(()) } else { self.primary.clear() };
            let inserted = cleared.and_then(|()| {
                if self.state() & DISTRUST_ALL != 0 {
                    self.trust_all(since);
                }
                insert(&self.primary)
            });
            match inserted {
                Ok(is_current) => {
                    if is_current {
                        self.trust(since, || self.namespace.digest(key));
                    }
                    if self.state() & LENT != 0 {
                        self.secondary.remove(key)?;
                    }
                    return Ok(is_current);
                }
                Err(error) if self.failed(&error) => {}
                // What the primary has for this key, if anything, is old now.
                Err(_) if self.primary.remove(key).is_err() => self.distrust(self.namespace.digest(key)),
                Err(_) => {}
            }
        }
        self.set(LENT);
        // What is lent must not outlive what it stands in for, whatever the secondary's own TTL.
        self.secondary.insert_with_ttl(key, value, time.into_iter().chain(self.primary.ttl()).min()).map(|()| true)
    }
}

impl<K, P, S> ViewStore<K> for Fallback<P, S>
where
    K: Hash + ?Sized,
    P: ViewStore<K>,
    S: ViewStore<K, Value = P::Value, View = P::View>,
{
    type View = P::View;

    #[inline]
    fn view(&self, key: &K) -> Result<Option<P::View>, Error> {
        self.read(key, |primary| primary.view(key), |secondary| secondary.view(key))
    }

    fn to_view(&self, value: &P::Value) -> Result<P::View, Error> {
        self.primary.to_view(value)
    }
}

impl<P: fmt::Debug, S: fmt::Debug> fmt::Debug for Fallback<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("primary", &self.primary)
            .field("secondary", &self.secondary)
            .field("has_switched", &self.has_switched())
            .finish_non_exhaustive()
    }
}
