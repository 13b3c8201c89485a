//! The attributes, each under the name of the function that does the same for closures.

/// Remembers the results of a function in a database, as [`bcache`](fn@crate::bcache) does: the next run of the program finds
/// them.
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// use twat_cache::bcache;
///
/// #[bcache(dir = dir(), max_bytes = 64 << 20)]
/// fn thumbnail(path: &str, (width, height): (u32, u32)) -> std::io::Result<Vec<u8>> {
///     Ok(format!("{path} at {width} by {height}").into_bytes())
/// }
///
/// assert_eq!(thumbnail("cat.jpg", (320, 240))?, b"cat.jpg at 320 by 240");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// All that is said of [`mcache`](macro@crate::mcache) holds, and its cache has a name: the package and the path of the
/// function, or `name = …`. A path leaves out blocks: of several functions of one name and the same tokens in a crate, those after the
/// first have their number in the name, too. Its version is a fingerprint of the function, body included: edit it, and its results are
/// computed anew; change it back, and the old ones are found again. The functions and constants that it uses are not part of
/// it; with `version = …` you say yourself what is. A `key` or `skip` that changes is another version in any case.
///
/// Values need [rkyv](https://docs.rs/rkyv)'s derives, or serde's with the option `serde` (feature `serde`).
///
/// Options: `max_bytes`, `version`, `dir`, `name`, `trust`, `serde`, and `ttl`, `patience`, `key`, `skip`, `companion`, `crate`.
#[cfg(feature = "disk")]
pub use twat_cache_macros::bcache;

/// Remembers the results of a function in files, as [`fcache`](fn@crate::fcache) does: large ones, for several processes.
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// use twat_cache::fcache;
///
/// #[fcache(dir = dir())]
/// fn waves(n: u32) -> Vec<f64> {
///     (0..n).map(|i| f64::from(i).sin()).collect()
/// }
///
/// assert_eq!(waves(100_000).len(), 100_000); // a value of its own
/// assert_eq!(waves::view(100_000)[0], 0.0); // read where it lies, without a copy
/// ```
///
/// All that is said of [`bcache`](macro@crate::bcache) holds; the companion has `view` besides, which gives a
/// [`View`](crate::View).
///
/// Options: `max_bytes`, `version`, `dir`, `name`, `trust`, `access`, `verify`, and `ttl`, `patience`, `key`, `skip`, `companion`,
/// `crate`.
#[cfg(feature = "file")]
pub use twat_cache_macros::fcache;

/// Remembers the results of a function in memory, as [`mcache`](fn@crate::mcache) does. The function is called as before.
///
/// ```
/// use twat_cache::mcache;
///
/// #[mcache]
/// fn fib(n: u64) -> u64 {
///     if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
/// }
///
/// assert_eq!(fib(90), 2_880_067_194_370_816_120);
/// ```
///
/// # Functions
///
/// - Free functions, functions in functions, methods and associated functions; sync and async, on any executor.
/// - Arguments of any number, owned or borrowed: a hit allocates nothing for `&str`, `&[T]`, `&Path` or `&T`. They need
///   `Hash + Eq + Clone`, or are floats, also in slices, vectors, options and tuples. An owned argument is cloned for the body when
///   something is computed, because the key needs it as well.
/// - `self` is part of the key, by its own `Hash + Eq + Clone`.
/// - What a function can tell apart is told apart: floats by their bits (0.0 and -0.0 are two arguments, a NaN is the same as
///   itself), paths by their bytes (`a/b`, `a//b` and `a/b/` are three), also inside of tuples, slices, arrays, vectors, options and
///   boxes. A type of your own is the same argument where it is equal by its own `Eq`, and on disk where it hashes alike. For one
///   with a path inside, take the path apart in `key`, or implement its `Eq` and `Hash` by `path.as_os_str()`.
/// - Of a `Result`, by whatever name, only `Ok` is remembered. An error goes to all callers that waited for it, if its type is
///   known to be `Clone + Send + Sync + 'static`; otherwise each of them computes.
///
/// ```
/// use std::time::Duration;
/// use twat_cache::mcache;
///
/// #[derive(Clone, PartialEq, Eq, Hash)]
/// struct Shop {
///     city: String,
/// }
///
/// impl Shop {
///     #[mcache(max_entries = 100, ttl = Duration::from_secs(60))]
///     async fn price(&self, item: &str) -> Result<u32, String> {
///         if item == "tea" { Ok(3) } else { Err(format!("no {item} in {}", self.city)) }
///     }
/// }
///
/// # futures_lite::future::block_on(async {
/// let shop = Shop { city: "Riga".into() };
/// assert_eq!(shop.price("tea").await, Ok(3));
/// assert!(shop.price("silk").await.is_err()); // asked for again next time
/// # });
/// ```
///
/// A function of an `impl` that has neither `self` nor `Self` in its signature is told by the source around it. Where a macro
/// wrote it, say `where Self: Sized`.
///
/// In a generic `impl`, and in a default method of a `trait`, there is a cache for each type. Under `#[async_trait]`, decorate the
/// methods inside of the `impl`.
///
/// Not for generic functions, `impl Trait`, `const` and `unsafe` functions, borrowed results and `&mut` arguments that are not
/// skipped: the compiler says so, and what to do instead.
///
/// # Options
///
/// They are expressions, evaluated once, at the first call. They must not call the function itself.
///
/// - `max_entries`, `ttl`, `patience`: as the builder's.
/// - `skip(a, self)`: these arguments are not part of the key.
/// - `key = (…)`: this is the key, whatever the arguments are. It may use them, and needs only `Hash`; what it hashes is what is
///   compared, floats and paths as above.
/// - `companion = name`: what the companion is called, see below.
/// - `crate = path`: where `twat_cache` is, if it is not called so.
///
/// ```
/// use twat_cache::mcache;
///
/// # struct Connection;
/// #[derive(Debug)]
/// struct User {
///     id: u64,
/// }
///
/// #[mcache(skip(connection))]
/// fn name(connection: &Connection, id: u64) -> String {
///     format!("user {id}")
/// }
///
/// #[mcache(key = (user.id, page))]
/// fn posts(user: &User, page: u32) -> Vec<String> {
///     vec![format!("post of {user:?} on page {page}")]
/// }
///
/// assert_eq!(name(&Connection, 7), "user 7");
/// assert_eq!(posts(&User { id: 7 }, 1).len(), 1);
/// ```
///
/// # The companion
///
/// Beside a function there is a type of its name, with its visibility, for what else one does with a cache. So there can be no
/// module and no other type of that name, and where a function has the name of a crate, other code beside it writes `::bytes` for
/// the crate. `companion = name` names the type otherwise. It takes that for `mod area; pub use area::area;`, where the module and
/// the type of a function `area` would meet.
///
/// ```
/// # use twat_cache::mcache;
/// # #[mcache]
/// # fn fib(n: u64) -> u64 {
/// #     if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
/// # }
/// # fn main() -> Result<(), twat_cache::Error> {
/// fib(40);
/// assert_eq!(fib::len()?, 41);
/// assert_eq!(fib::peek(40)?, Some(102_334_155)); // looks, never computes
/// assert!(fib::forget(40)?); // says whether there was something
/// assert_eq!(fib::refresh(40), 102_334_155); // computes and stores, whatever is there
/// assert_eq!(fib::uncached(1), 1); // computes, and stores nothing
/// assert_eq!(fib::memo().describe(), "memory");
/// assert!(fib::store().cache().capacity() >= 1024); // the engine itself
/// fib::clear()
/// # }
/// ```
///
/// Beside a method nothing can stand, so it has no companion. To reach its store, decorate a free function, and call that
/// from the method:
///
/// ```
/// use twat_cache::mcache;
///
/// #[derive(Clone, PartialEq, Eq, Hash)]
/// struct Rectangle(u64, u64);
///
/// #[mcache]
/// fn area(of: &Rectangle) -> u64 {
///     of.0 * of.1
/// }
///
/// impl Rectangle {
///     fn area(&self) -> u64 {
///         area(self)
///     }
/// }
///
/// assert_eq!(Rectangle(3, 4).area(), 12);
/// assert_eq!(area::len()?, 1);
/// # Ok::<(), twat_cache::Error>(())
/// ```
#[cfg(feature = "mem")]
pub use twat_cache_macros::mcache;

/// Remembers the results of a function wherever is best, as [`ucache`](fn@crate::ucache) does.
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// use twat_cache::ucache;
///
/// #[ucache(dir = dir(), version = 2)]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// assert_eq!(square(12), 144); // computed once, and not again by the next run of the program
/// ```
///
/// All that is said of [`bcache`](macro@crate::bcache) holds.
///
/// Options: `max_entries`, `max_bytes`, `version`, `dir`, `name`, `trust`, `backend`, and `ttl`, `patience`, `key`, `skip`,
/// `companion`, `crate`.
#[cfg(feature = "ucache")]
pub use twat_cache_macros::ucache;
