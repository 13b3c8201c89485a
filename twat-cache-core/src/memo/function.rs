//! The functions that a memo can have: functions of one argument by reference, sync or async.

/// A function for a [`Memo`](crate::Memo): any `Fn(&A) -> V`.
///
/// `wrap` requires this instead of `Fn`, so that a closure keeps its own signature. With `Fn(&A)` as the bound, the
/// compiler would give the references inside `A` one fixed lifetime. Then a memo of
/// `|Call((s, n)): &Call<(&str, &u32)>|` could be called with one lifetime of `s` only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function of one argument by reference",
    note = "write the type of a closure's argument, as in `|n: &u64| …`; the compiler does not guess it here",
    note = "for several arguments take `|Call((a, b)): &Call<(&A, &B)>| …`"
)]
pub trait Function<A: ?Sized, V> {}

impl<A: ?Sized, V, F: Fn(&A) -> V + ?Sized> Function<A, V> for F {}

/// Like [`Function`], for any `AsyncFn(&A) -> V`: async closures, and functions that return futures.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an async function of one argument by reference",
    note = "write the type of a closure's argument, as in `async |n: &u64| …`; the compiler does not guess it here",
    note = "for several arguments take `async |Call((a, b)): &Call<(&A, &B)>| …`"
)]
pub trait AsyncFunction<A: ?Sized, V> {}

impl<A: ?Sized, V, F: AsyncFn(&A) -> V + ?Sized> AsyncFunction<A, V> for F {}

/// A function that takes arguments of type `K`. The compiler infers `R` and `Kind`.
///
/// With this bound, `forget`, `peek` and `insert` of a memo accept the argument type of its function, and no other
/// type. A memo without a function has `()` in its place, and accepts every argument type.
#[diagnostic::on_unimplemented(
    message = "the function of this memo does not take `{K}`",
    label = "not the argument of the function",
    note = "`peek`, `forget` and `insert` take the same type as `call`; a number may need its type written, as in `&40_u64`"
)]
pub trait Takes<K: ?Sized, R, Kind> {}

impl<K: ?Sized, R, F: Fn(&K) -> R> Takes<K, R, kind::Plain> for F {}
impl<K: ?Sized, R, F: AsyncFn(&K) -> R> Takes<K, R, kind::Async> for F {}
impl<K: ?Sized> Takes<K, (), kind::Without> for () {}

/// The kinds of functions. Each makes its implementation of [`Takes`](super::Takes) distinct.
#[doc(hidden)]
pub mod kind {
    /// `Fn(&K) -> R`.
    #[derive(Debug)]
    pub struct Plain;
    /// `AsyncFn(&K) -> R`.
    #[derive(Debug)]
    pub struct Async;
    /// `()`, in place of a function.
    #[derive(Debug)]
    pub struct Without;
}
