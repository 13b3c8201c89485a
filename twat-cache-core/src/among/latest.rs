use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, OnceLock};

use super::system;

/// A value that is read often and replaced seldom, such as an open directory. Reading takes no lock.
///
/// All values stay until the end, because others may be reading them. So each of them may keep a few files open, and there is a
/// bound: see [`is_full`](Self::is_full).
#[derive(Debug)]
pub struct Latest<T>(OnceLock<Box<Link<T>>>);

#[derive(Debug)]
struct Link<T> {
    value: T,
    is_over: AtomicBool,
    next: Latest<T>,
}

/// Depends on how many files this process may have open.
static MOST: LazyLock<usize> = LazyLock::new(|| (system::most_handles() / 8).clamp(8, 1000));

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Latest<T> {
    /// The latest value, if it is not over.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.last().filter(|link| !link.is_over.load(Ordering::Acquire)).map(|link| &link.value)
    }

    /// The latest value must not be used any more.
    pub fn end(&self) {
        if let Some(link) = self.last() {
            link.is_over.store(true, Ordering::Release);
        }
    }

    /// Puts a value in place of the latest one. Only one thread at a time may do so.
    pub fn replace(&self, value: T) -> &T {
        self.end();
        let slot = self.last().map_or(self, |link| &link.next);
        &slot.0.get_or_init(|| Box::new(Link { value, is_over: AtomicBool::new(false), next: Self::default() })).value
    }

    /// There are so many values that another one must not be added.
    pub fn is_full(&self) -> bool {
        self.links().nth(*MOST - 1).is_some()
    }

    #[inline]
    fn last(&self) -> Option<&Link<T>> {
        self.links().last()
    }

    #[inline]
    fn links(&self) -> impl Iterator<Item = &Link<T>> {
        iter::successors(self.0.get().map(Box::as_ref), |link| link.next.0.get().map(Box::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_value_is_read_until_it_is_over() {
        let latest = Latest::default();
        assert_eq!(latest.get(), None);
        let first = latest.replace(1);
        assert_eq!(latest.get(), Some(&1));
        latest.end();
        assert_eq!(latest.get(), None);
        latest.replace(2);
        latest.replace(3);
        assert_eq!((latest.get(), first), (Some(&3), &1));
    }

    #[test]
    fn there_is_a_bound_for_the_number_of_values() {
        let latest = Latest::default();
        let count = iter::repeat_with(|| latest.replace(0)).take_while(|_| !latest.is_full()).count();
        assert_eq!(count + 1, *MOST);
    }
}
