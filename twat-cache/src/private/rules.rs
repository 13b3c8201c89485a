use std::marker::PhantomData;

use twat_cache_core::{Args, Memo, Store};

use super::Probe;

impl<T, E> Probe<Result<T, E>> {
    /// Asks about the value that is stored.
    #[inline]
    pub fn value(self) -> Probe<T> {
        Probe(PhantomData)
    }

    /// A memo of such values. The closures that its rules are need not tell the type.
    #[inline]
    pub fn kept_by<S: Store<Value = T>, F, P>(self, memo: Memo<S, F, P>) -> Memo<S, F, P> {
        memo
    }
}

/// The same for what is no `Result`.
pub trait ItselfStored<T>: Sized {
    /// Asks about the value that is stored.
    #[inline]
    fn value(self) -> Probe<T> {
        Probe(PhantomData)
    }

    /// A memo of such values. The closures that its rules are need not tell the type.
    #[inline]
    fn kept_by<S: Store<Value = T>, F, P>(self, memo: Memo<S, F, P>) -> Memo<S, F, P> {
        memo
    }
}

impl<T> ItselfStored<T> for &Probe<T> {}

/// The type of an entry's key, of this key of a call.
#[inline]
pub fn owned_of<K: Args>(_key: &K) -> PhantomData<fn() -> K::Owned> {
    PhantomData
}

/// A function for evicted entries, with these types. A closure need not tell them.
#[inline]
pub fn evicted<K, V, F: Fn(&K, &V)>(_key: PhantomData<fn() -> K>, _value: Probe<V>, function: F) -> F {
    function
}
