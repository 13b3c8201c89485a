use std::any::{Any, TypeId};
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use super::key::is_digest;

/// The arguments of a call: borrowed for the lookup, owned for storage.
///
/// This is what lets a hit be found by `&str`, `&Path`, `&[T]` or several references at once without allocating or
/// cloning anything, and still be compared exactly.
///
/// Everything that is `Hash + Eq + ToOwned` is `Args` already: numbers, `str`, `String`, `Path`, slices, tuples, your
/// own types with `#[derive(Clone, PartialEq, Eq, Hash)]`. For several arguments by reference there is [`Call`].
///
/// Two arguments are the same if they are equal by their own `Eq`. A path that is an argument, or one of a `Call`, is compared by
/// its bytes, because a function can tell `a/b` from `a//b` and `a/b/`, and `Eq` of `std` cannot. A path inside another argument,
/// such as a tuple or a type of your own, is compared as that type does it. In memory, two spellings of a path inside a `Call`
/// take each other's place.
///
/// What `Eq` tells apart, `Hash` should tell apart as well. Arguments that are not equal and hash alike wait for each other's
/// computation, and a store that goes by digests takes them for one. Of a type of your own with a path inside, hash
/// `path.as_os_str()`: `std` hashes `/etc` and `etc` alike.
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

    /// Hashes for a digest, which has nothing else to compare by.
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
                // `Eq` of a path is about its components.
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
        // `Hash` of a path is about its components, and not about the root.
        if with_path(self, |path| path.as_os_str().hash(state)).is_none() {
            self.hash(state);
        }
    }
}

/// Shows this as a path if its owned form is one. For any other type that is decided when it is compiled.
#[inline]
fn with_path<T, R>(this: &T, show: impl FnOnce(&Path) -> R) -> Option<R>
where
    T: ToOwned + ?Sized,
    T::Owned: 'static,
{
    thread_local! {
        /// A copy, because there is no safe way from a `T` to the path that it is. It is allocated once.
        static COPY: Cell<PathBuf> = Cell::default();
    }
    if TypeId::of::<T::Owned>() != TypeId::of::<PathBuf>() {
        return None;
    }
    let mut copy = COPY.try_with(Cell::take).unwrap_or_default();
    this.clone_into((&mut copy as &mut dyn Any).downcast_mut()?);
    let shown = show(&copy);
    // At the end of a thread it is dropped.
    let _ = COPY.try_with(|kept| kept.set(copy));
    Some(shown)
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
        // A tuple hashes as its elements do, one after the other, and `&A` as `A`: so this equals the hash of `Owned`. Digests
        // need not equal it.
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
