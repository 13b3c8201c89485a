use std::any::{Any, TypeId};
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use super::key::is_digest;

/// The arguments of a call: borrowed for the lookup, owned for storage.
///
/// A lookup by `&str`, `&Path`, `&[T]` or several references does not allocate or clone, and still compares exactly.
///
/// Every type that is `Hash + Eq + ToOwned` implements `Args`: numbers, `str`, `String`, `Path`, slices, tuples, and
/// your own types with `#[derive(Clone, PartialEq, Eq, Hash)]`. For several arguments by reference, use [`Call`].
///
/// # Equality
///
/// Two arguments are the same key if they are equal by their own `Eq`. Paths are an exception: a path that is the
/// argument, or an argument in a `Call`, is compared by its bytes. A function can distinguish `a/b` from `a//b` and
/// `a/b/`, but `Eq` of `std` cannot. A path inside another argument, such as a tuple or a type of your own, is compared
/// by that type's `Eq`. In memory, an entry for one spelling of a path inside a `Call` replaces the entry for another
/// spelling.
///
/// Arguments that are not equal should not hash alike. If they do, their callers wait for each other, and a store that
/// identifies keys by digest treats them as one key. If your own type contains a path, hash `path.as_os_str()`, because
/// `std` hashes `/etc` and `etc` alike.
///
/// # Requirements
///
/// - `self` hashes exactly as `self.to_key()` does, into any [`Hasher`]. Otherwise entries are not found again.
/// - `self.matches(&owned)` is true if and only if `self.to_key() == owned`. Otherwise a wrong entry is found.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the argument of a memoised function",
    label = "cannot be a cache key",
    note = "arguments need `Hash + Eq + Clone`, and their owned form `Send + Sync + 'static`",
    note = "for several arguments by reference, take `&Call<(&A, &B)>`"
)]
pub trait Args: Hash {
    /// The stored form of the arguments: the key of an entry.
    type Owned: Hash + Eq + Clone + Send + Sync + 'static;

    /// Returns whether `owned` was made from the same arguments.
    fn matches(&self, owned: &Self::Owned) -> bool;

    /// Makes the owned form. A store calls this when it stores a result.
    fn to_key(&self) -> Self::Owned;

    /// Hashes for a digest. A digest must distinguish all arguments, because nothing else is compared.
    #[doc(hidden)]
    #[inline]
    fn hash_exactly<H: Hasher>(&self, state: &mut H) {
        self.hash(state);
    }
}

impl<T> Args for T
where
    T: ?Sized + Hash + Eq + ToOwned,
    T::Owned: Hash + Eq + Clone + Send + Sync + 'static,
{
    type Owned = T::Owned;

    #[inline]
    fn matches(&self, owned: &Self::Owned) -> bool {
        self == std::borrow::Borrow::<T>::borrow(owned)
            && with_path(self, |path| {
                // `Eq` of a path compares its components, not its bytes.
                let owned: &dyn Any = owned;
                owned.downcast_ref::<PathBuf>().is_some_and(|owned| path.as_os_str() == owned.as_os_str())
            })
            .unwrap_or(true)
    }

    #[inline]
    fn to_key(&self) -> Self::Owned {
        self.to_owned()
    }

    #[inline]
    fn hash_exactly<H: Hasher>(&self, state: &mut H) {
        // `Hash` of a path covers its components, but not its root.
        if with_path(self, |path| path.as_os_str().hash(state)).is_none() {
            self.hash(state);
        }
    }
}

/// Calls `read` with `this` as a path; returns `None` if `T` is not a path. The compiler removes the call for other
/// types.
#[inline]
fn with_path<T, R>(this: &T, read: impl FnOnce(&Path) -> R) -> Option<R>
where
    T: ToOwned + ?Sized,
    T::Owned: 'static,
{
    thread_local! {
        /// A copy of the path, because safe code cannot convert `&T` to `&Path`. Each thread allocates it once.
        static COPY: Cell<PathBuf> = Cell::default();
    }
    if TypeId::of::<T::Owned>() != TypeId::of::<PathBuf>() {
        return None;
    }
    let mut copy = COPY.try_with(Cell::take).unwrap_or_default();
    this.clone_into((&mut copy as &mut dyn Any).downcast_mut()?);
    let result = read(&copy);
    // This fails while the thread ends. Then the copy is dropped.
    let _ = COPY.try_with(|cell| cell.set(copy));
    Some(result)
}

/// One to twelve arguments by reference: `Call((&a, &b, …))`.
///
/// The key of `Call((&a, &b))` is `(a.to_owned(), b.to_owned())`, and that of `Call((&a,))` is `a.to_owned()`. A lookup does
/// not make the owned form.
///
/// ```
/// use twat_cache_core::{Call, LruStore, Memo};
///
/// let repeat = Memo::new(LruStore::new(100), |Call((text, times)): &Call<(&str, &usize)>| text.repeat(**times));
/// assert_eq!(repeat.call(&Call(("ab", &2))), "abab");
/// ```
#[derive(Debug)]
pub struct Call<T>(pub T);

/// An argument in a [`Call`]: a reference, or a nested `Call`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument in a `Call`",
    label = "not a reference to an argument",
    note = "a `Call` has references to its arguments: `Call((&a, &b))`"
)]
pub trait Part {
    /// The type of the argument.
    type Args: Args + ?Sized;

    /// Returns the argument.
    fn args(&self) -> &Self::Args;
}

impl<A: Args + ?Sized> Part for &A {
    type Args = A;

    #[inline]
    fn args(&self) -> &A {
        self
    }
}

impl<T> Part for Call<T>
where
    Self: Args,
{
    type Args = Self;

    #[inline]
    fn args(&self) -> &Self {
        self
    }
}

macro_rules! call {
    ($owned:ty, |$key:ident| $($name:ident $index:tt $part:expr),+) => {
        // A tuple hashes its elements in order, and `&A` hashes as `A`. So this equals the hash of `Owned`. A digest
        // may differ from it.
        impl<$($name: Part),+> Hash for Call<($($name,)+)> {
            #[inline]
            fn hash<State: Hasher>(&self, state: &mut State) {
                if is_digest::<State>() {
                    $(self.0.$index.args().hash_exactly(state);)+
                } else {
                    $(self.0.$index.args().hash(state);)+
                }
            }
        }

        impl<$($name: Part),+> Args for Call<($($name,)+)> {
            type Owned = $owned;

            #[inline]
            fn matches(&self, $key: &Self::Owned) -> bool {
                $(self.0.$index.args().matches($part))&&+
            }

            #[inline]
            fn to_key(&self) -> Self::Owned {
                call!(@ $(self.0.$index.args().to_key()),+)
            }
        }
    };
    ($($name:ident $index:tt),+) => {
        call!(($(<$name::Args as Args>::Owned,)+), |owned| $($name $index &owned.$index),+);
    };
    (@ $only:expr) => { $only };
    (@ $($part:expr),+) => { ($($part,)+) };
}

call!(<A::Args as Args>::Owned, |owned| A 0 owned);
call!(A 0, B 1);
call!(A 0, B 1, C 2);
call!(A 0, B 1, C 2, D 3);
call!(A 0, B 1, C 2, D 3, E 4);
call!(A 0, B 1, C 2, D 3, E 4, F 5);
call!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
call!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
call!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
call!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
call!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
call!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
