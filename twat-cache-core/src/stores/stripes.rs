use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{PATIENCE, ReentrantMutex, is_mutant};
use crate::{Error, ErrorKind, KeyHash};

/// Counts the changes of a back store, in stripes of keys, so that the front never has what the back has replaced or removed.
///
/// The beginnings and the ends of changes are counted. Only a change that overlaps with no other stores its value in the front;
/// all others remove the front's entry. A lookup fills the front only if no change is under way when it reads the back, and none
/// begins before it fills the front. The lock is held while the front changes, and never while the back does.
pub(crate) struct Stripes([Stripe; COUNT]);

/// The model checker needs no more than two, and its stacks are small.
const COUNT: usize = if cfg!(shuttle) { 2 } else { 64 };

#[derive(Default)]
pub(crate) struct Stripe {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Held while the front changes. Reentrant: the front runs the `Clone` and `Drop` of its values, which may use this store.
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

    /// A change of all stripes begins.
    pub(crate) fn change_all(&self) -> Vec<Change<'_>> {
        self.0.iter().map(Stripe::change).collect()
    }
}

impl Stripe {
    /// A change of the back begins.
    pub(crate) fn change(&self) -> Change<'_> {
        let ended = self.ended.load(Ordering::SeqCst);
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        Change { stripe: self, number, began_alone: ended + 1 == number }
    }

    /// A lookup in the back begins; `None` during a change.
    pub(crate) fn lookup(&self) -> Option<Lookup<'_>> {
        let ended = self.ended.load(Ordering::SeqCst);
        let begun = self.begun.load(Ordering::SeqCst);
        (begun == ended || is_mutant("looks during a change")).then_some(Lookup { stripe: self, begun })
    }
}

/// A change of the back.
pub(crate) struct Change<'a> {
    stripe: &'a Stripe,
    number: u64,
    began_alone: bool,
}

impl Change<'_> {
    /// Changes the front after the back. `change` is told whether no other change overlapped with this one: only then is it
    /// known what the back has.
    ///
    /// An error if another thread takes too long to change the front.
    pub(crate) fn change_front<T>(self, change: impl FnOnce(bool) -> Result<T, Error>) -> Result<T, Error> {
        let _front = self.stripe.front.try_lock_for(PATIENCE).ok_or_else(busy)?;
        change(self.began_alone && self.stripe.begun.load(Ordering::SeqCst) == self.number)
    }

    /// Waits for the changes of the front that are under way. Those that begin later know of this change.
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

/// A lookup in the back.
pub(crate) struct Lookup<'a> {
    stripe: &'a Stripe,
    begun: u64,
}

impl Lookup<'_> {
    /// Fills the front with what was found, unless that may be outdated, or another thread is changing the front.
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
    fn a_wait_for_a_change_of_the_front_has_an_end() {
        let stripes = Stripes::new();
        let stripe = stripes.of(KeyHash::from_bytes([0; 16]));
        let is_alone = |change: Change<'_>| change.change_front(Ok).unwrap();
        let holding = stripe.change().change_front(|began_alone| {
            assert!(began_alone);
            let other = || stripe.change().change_front(Ok).unwrap_err().kind();
            assert_eq!(std::thread::scope(|scope| scope.spawn(other).join()).unwrap(), ErrorKind::Io);
            // The same thread does not wait for itself.
            assert!(!is_alone(stripe.change()));
            Ok(())
        });
        holding.unwrap();
        assert!(is_alone(stripe.change()));
    }
}
