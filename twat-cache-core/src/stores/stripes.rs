use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{PATIENCE, ReentrantMutex, is_mutant};
use crate::{Error, ErrorKind, KeyHash};

/// What is known of changes to the entries behind a front, for keys that share a stripe of it.
///
/// The scheme: a change of the back has a beginning and an end, which are counted. Only a change that overlapped with no
/// other puts its value in front; all others empty the front. A lookup fills the front only if no change was under way when it
/// looked into the back, and none has begun since. The lock is held while the front is looked after, and never while the
/// back is.
pub(crate) struct Stripes([Stripe; COUNT]);

/// The model needs no more than two, and its stacks are small.
const COUNT: usize = if cfg!(shuttle) { 2 } else { 64 };

#[derive(Default)]
pub(crate) struct Stripe {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Reentrant: the front runs its values' `Clone` and `Drop`, which are the user's code and may come back here.
    front: ReentrantMutex<()>,
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Stripe::default()))
    }

    pub(crate) fn of(&self, digest: KeyHash) -> &Stripe {
        let [first, ..] = digest.to_bytes();
        &self.0[usize::from(first) % COUNT]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Stripe> {
        self.0.iter()
    }
}

impl Stripe {
    /// Notes that a change of the back begins.
    pub(crate) fn change(&self) -> Change<'_> {
        let ended = self.ended.load(Ordering::SeqCst);
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        Change { stripe: self, number, began_alone: ended + 1 == number }
    }

    /// Notes that the back is about to be looked at; `None` if it is being changed.
    pub(crate) fn glance(&self) -> Option<Glance<'_>> {
        let ended = self.ended.load(Ordering::SeqCst);
        let begun = self.begun.load(Ordering::SeqCst);
        (begun == ended || is_mutant("looks during a change")).then_some(Glance { stripe: self, begun })
    }
}

/// A change of the back under way.
pub(crate) struct Change<'a> {
    stripe: &'a Stripe,
    number: u64,
    began_alone: bool,
}

impl Change<'_> {
    /// Looks after the front, now that the back is changed. `work` is told whether no other change has overlapped with
    /// this one: only then does it know what the back has.
    ///
    /// An error if code that runs in the front holds others up for too long.
    pub(crate) fn see_to_front<T>(self, work: impl FnOnce(bool) -> Result<T, Error>) -> Result<T, Error> {
        let _front = self.stripe.front.try_lock_for(PATIENCE).ok_or_else(busy)?;
        work(self.began_alone && self.stripe.begun.load(Ordering::SeqCst) == self.number)
    }

    /// Waits for those that are looking after the front. What begins to do so later knows of this change.
    pub(crate) fn wait_for_front(&self) -> Result<(), Error> {
        self.stripe.front.try_lock_for(PATIENCE).map(drop).ok_or_else(busy)
    }
}

fn busy() -> Error {
    Error::new(ErrorKind::Io, "change an entry in memory").because("another thread takes too long to change one")
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.stripe.ended.fetch_add(1, Ordering::SeqCst);
    }
}

/// A look at the back under way.
pub(crate) struct Glance<'a> {
    stripe: &'a Stripe,
    begun: u64,
}

impl Glance<'_> {
    /// Fills the front with what was seen, unless that may be outdated, or somebody else looks after the front.
    pub(crate) fn fill_front(self, fill: impl FnOnce()) {
        if let Some(_front) = self.stripe.front.try_lock()
            && self.stripe.begun.load(Ordering::SeqCst) == self.begun
        {
            fill();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_the_front_has_an_end() {
        let stripes = Stripes::new();
        let stripe = stripes.of(KeyHash::from_bytes([0; 16]));
        let is_alone = |change: Change<'_>| change.see_to_front(Ok).unwrap();
        let holding = stripe.change().see_to_front(|began_alone| {
            assert!(began_alone);
            let other = || stripe.change().see_to_front(Ok).unwrap_err().kind();
            assert_eq!(std::thread::scope(|scope| scope.spawn(other).join()).unwrap(), ErrorKind::Io);
            // On its own thread it does not stand in its own way.
            assert!(!is_alone(stripe.change()));
            Ok(())
        });
        holding.unwrap();
        assert!(is_alone(stripe.change()));
    }
}
