use std::hash::{Hash, Hasher};

use crate::key::hash_part;

/// The arguments of a call: borrowed for the lookup, owned for storage.
///
/// This is what lets a hit be found by `&str`, `&Path`, `&[T]` or several references at once without allocating or
/// cloning anything, and still be compared exactly.
///
/// Everything that is `Hash + Eq + ToOwned` is `Args` already: numbers, `str`, `String`, `Path`, slices, tuples, your
/// own types with `#[derive(Clone, PartialEq, Eq, Hash)]`. For several arguments by reference there is [`Call`].
///
/// # What an implementor owes
///
/// - `self` hashes exactly as `self.to_key()` does, into any [`Hasher`];
/// - `self.matches(&owned)` is true if and only if `self.to_key() == owned`.
///
/// Where the first fails, entries are not found again; where the second fails, a wrong one is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the argument of a memoised function",
    label = "cannot be a cache key",
    note = "arguments need `Hash + Eq + Clone`, and their owned form `Send + Sync + 'static`",
    note = "for several arguments by reference, take `&Call<(&A, &B)>`"
)]
pub trait Args: Hash {
    /// What is kept as the key of an entry.
    type Owned: Hash + Eq + Clone + Send + Sync + 'static;

    /// Whether these are the arguments that `owned` was made from.
    fn matches(&self, owned: &Self::Owned) -> bool;

    /// The owned form, made when a result is stored.
    fn to_key(&self) -> Self::Owned;
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
    }

    #[inline]
    fn to_key(&self) -> Self::Owned {
        self.to_owned()
    }
}

/// Several arguments by reference: `Call((&a, &b, …))`, from one to twelve.
///
/// `Call((&a, &b))` finds what `(a.to_owned(), b.to_owned())` was stored under, and owns nothing for it.
///
/// ```
/// use twat_cache_core::{Call, LruStore, Memo};
///
/// let repeat = Memo::new(LruStore::new(100), |Call((text, times)): &Call<(&str, &usize)>| text.repeat(**times));
/// assert_eq!(repeat.call(&Call(("ab", &2))), "abab");
/// ```
#[derive(Debug)]
pub struct Call<T>(pub T);

/// One of the arguments in a [`Call`]: a reference, or what stands for one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument in a `Call`",
    label = "not a reference to an argument",
    note = "a `Call` has references to its arguments: `Call((&a, &b))`"
)]
pub trait Part {
    /// The argument itself.
    type Args: Args + ?Sized;

    /// The argument itself.
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
    ($($name:ident $index:tt),+) => {
        // A tuple hashes as its elements do, one after the other, and `&A` as `A`: so this equals the hash of `Owned`. But
        // for paths, and only in digests, which do not look for owned keys.
        impl<$($name: Part),+> Hash for Call<($($name,)+)> {
            #[inline]
            fn hash<State: Hasher>(&self, state: &mut State) {
                $(hash_part(self.0.$index.args(), state);)+
            }
        }

        impl<$($name: Part),+> Args for Call<($($name,)+)> {
            type Owned = ($(<$name::Args as Args>::Owned,)+);

            #[inline]
            fn matches(&self, owned: &Self::Owned) -> bool {
                $(self.0.$index.args().matches(&owned.$index))&&+
            }

            #[inline]
            fn to_key(&self) -> Self::Owned {
                ($(self.0.$index.args().to_key(),)+)
            }
        }
    };
}

call!(A 0);
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
