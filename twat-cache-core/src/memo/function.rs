//! What memos are made of: functions of one argument by reference, plain or async.

/// What [`Memo`](crate::Memo)s are made of: any `Fn(&A) -> V`.
///
/// `wrap` asks for this instead of `Fn` itself, so that a closure keeps the signature that it is written with. Asked
/// for `Fn(&A)`, the compiler would fix the lifetimes *inside* `A` once and for all, and a memo of
/// `|Call((s, n)): &Call<(&str, &u32)>|` could only ever be called with one expiry of `s`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function of one argument by reference",
    note = "write the type of a closure's argument, as in `|n: &u64| …`; the compiler does not guess it here",
    note = "for several arguments take `|Call((a, b)): &Call<(&A, &B)>| …`"
)]
pub trait Function<A: ?Sized, V> {}

impl<A: ?Sized, V, F: Fn(&A) -> V + ?Sized> Function<A, V> for F {}

/// As [`Function`], for any `AsyncFn(&A) -> V`: async closures, and functions that return futures.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an async function of one argument by reference",
    note = "write the type of a closure's argument, as in `async |n: &u64| …`; the compiler does not guess it here",
    note = "for several arguments take `async |Call((a, b)): &Call<(&A, &B)>| …`"
)]
pub trait AsyncFunction<A: ?Sized, V> {}

impl<A: ?Sized, V, F: AsyncFn(&A) -> V + ?Sized> AsyncFunction<A, V> for F {}

/// The functions that take arguments of type `K`: what makes `forget`, `peek` and `insert` of a memo take what its
/// function takes, and nothing else. `R` and `Kind` are for the compiler to infer.
///
/// A memo of `()`, whose function comes with each call, takes any argument.
#[diagnostic::on_unimplemented(
    message = "the function of this memo does not take `{K}`",
    label = "not the argument of the function",
    note = "`peek`, `forget` and `insert` take the same type as `call`; a number may need its type written, as in `&40_u64`"
)]
pub trait Takes<K: ?Sized, R, Kind> {}

impl<K: ?Sized, R, F: Fn(&K) -> R> Takes<K, R, kind::Plain> for F {}
impl<K: ?Sized, R, F: AsyncFn(&K) -> R> Takes<K, R, kind::Async> for F {}
impl<K: ?Sized> Takes<K, (), kind::Without> for () {}

/// The kinds of functions that the compiler tells apart.
#[doc(hidden)]
pub mod kind {
    /// `Fn(&K) -> R`.
    #[derive(Debug)]
    pub struct Plain;
    /// `AsyncFn(&K) -> R`.
    #[derive(Debug)]
    pub struct Async;
    /// No function.
    #[derive(Debug)]
    pub struct Without;
}
