//! The attributes. Each has the name of the function that does the same for closures.

/// Remembers the results of a function in a database, as [`bcache`](fn@crate::bcache) does. The next run of the program finds
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
/// Functions, arguments, results, options and companions are as [`mcache`](macro@crate::mcache) describes them.
///
/// # Values
///
/// A value needs the derive [`CacheValue`](derive@crate::CacheValue), or those of serde with the option `serde` (feature
/// `serde`). Numbers, strings, vectors, maps, tuples and options have both.
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// use twat_cache::{CacheValue, bcache};
///
/// #[derive(CacheValue, Clone, Debug, PartialEq)]
/// struct Forecast {
///     celsius: Vec<f64>,
/// }
///
/// #[bcache(dir = dir())]
/// fn forecast(city: &str) -> Forecast {
///     Forecast { celsius: vec![city.len() as f64; 3] }
/// }
///
/// assert_eq!(forecast("Riga").celsius, [4.0; 3]);
/// ```
///
/// With serde:
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// # #[cfg(feature = "serde")] {
/// use serde::{Deserialize, Serialize};
/// use twat_cache::bcache;
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// struct Weather {
///     celsius: f64,
/// }
///
/// #[bcache(dir = dir(), serde)]
/// fn weather(city: &str) -> Weather {
///     Weather { celsius: city.len() as f64 }
/// }
///
/// assert_eq!(weather("Riga"), Weather { celsius: 4.0 });
/// # }
/// ```
///
/// # Name and version
///
/// The cache's name is the package and the path of the function, or `name = …`. A path leaves out blocks. If a crate has several
/// functions of one name and the same tokens, the name of all but the first has a number, too.
///
/// Results of another version are never returned. The version is a digest of the function, body included: if you edit it, its
/// results are computed anew; if you undo the edit, the old results are found again. Functions and constants that it uses are not
/// part of the digest. With `version = …` you choose the version yourself. Another `key` or `skip` always makes another version.
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// use twat_cache::bcache;
///
/// const QUALITY: u32 = 80;
///
/// #[bcache(dir = dir(), name = "previews", version = ("v2", QUALITY))]
/// fn preview(path: &str) -> String {
///     format!("{path} at {QUALITY} %")
/// }
///
/// assert_eq!(preview("cat.jpg"), "cat.jpg at 80 %");
/// ```
///
/// # Options
///
/// `max_bytes`, `version`, `dir`, `name`, `trust`, `serde`, `ttl`, `patience`, `key`, `skip`, `companion`, `crate`.
#[cfg(feature = "disk")]
pub use twat_cache_macros::bcache;

/// Remembers the results of a function in files, as [`fcache`](fn@crate::fcache) does. It is for large values, and for several
/// processes.
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
/// assert_eq!(waves(100_000).len(), 100_000); // a copy
/// assert_eq!(waves::view(100_000)[0], 0.0); // read in the file, without a copy
/// ```
///
/// Functions, arguments, results, options and companions are as [`mcache`](macro@crate::mcache) describes them. Values, names and
/// versions are as [`bcache`](macro@crate::bcache) describes them, without `serde`. The companion also has `view`, which returns
/// a [`View`](crate::View).
///
/// # Options
///
/// `max_bytes`, `version`, `dir`, `name`, `trust`, `access`, `verify`, `ttl`, `patience`, `key`, `skip`, `companion`, `crate`.
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
/// Free functions, functions in functions, methods and associated functions can be decorated. They can be sync, or async on any
/// executor.
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
/// assert!(shop.price("silk").await.is_err()); // the next call computes again
/// # });
/// ```
///
/// In a generic `impl`, and in a default method of a `trait`, each type has a cache of its own. With `#[async_trait]`, decorate
/// the methods in the `impl`.
///
/// An attribute does not see whether a function without `self` and `Self` is in an `impl`, so it reads the source file. If another
/// macro has written the `impl`, write `where Self: Sized` at the function.
///
/// Generic functions, `const` and `unsafe` functions, `impl Trait`, borrowed results, and `&mut` arguments that are not skipped
/// do not compile. The error tells what to do instead.
///
/// # Arguments
///
/// A function has any number of arguments, owned or borrowed. A hit allocates nothing for `&str`, `&[T]`, `&Path` and `&T`.
/// Arguments need `Hash + Eq + Clone`. Floats are arguments as well, also in slices, vectors, options and tuples. When a call
/// computes, the body gets clones of the owned arguments, because the key needs them, too. `self` is part of the key, so its type
/// needs the same traits.
///
/// If a function can tell two arguments apart, they have two results:
///
/// - Floats are compared by their bits. 0.0 and -0.0 are two arguments, and a NaN equals itself.
/// - Paths are compared by their bytes. `a/b`, `a//b` and `a/b/` are three arguments, also in tuples, slices, arrays, vectors,
///   options and boxes.
/// - Your own types are compared by their `Eq`, and on disk by what they hash. If such a type has a path inside, give the path in
///   `key`, or implement `Eq` and `Hash` by `path.as_os_str()`.
///
/// # Results
///
/// Of a `Result`, or of another name for one, only `Ok` is stored. If the type of the error is `Clone + Send + Sync + 'static`, all
/// callers that wait for a computation get its error. Otherwise each of them computes.
///
/// # Options
///
/// Options are expressions. They are evaluated once, at the first call. They must not call the function itself.
///
/// - `max_entries`, `ttl` and `patience` are as those of [`MemBuilder`](crate::mem::MemBuilder).
/// - `skip(a, self)`: these arguments are not part of the key.
/// - `key = (…)`: this is the key, and not the arguments. It may use the arguments, and it needs only `Hash`. What it hashes is
///   compared, floats and paths as above.
/// - `companion = name`: the name of the companion, see below.
/// - `crate = path`: the path of `twat_cache`, if it has another name.
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
/// The attribute of a free function also writes a type of its name and visibility, the companion. It controls the cache:
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
/// assert_eq!(fib::peek(40)?, Some(102_334_155)); // never computes
/// assert!(fib::forget(40)?); // there was a result
/// assert_eq!(fib::refresh(40), 102_334_155); // computes and stores, whatever is stored
/// assert_eq!(fib::uncached(1), 1); // computes, and stores nothing
/// assert_eq!(fib::memo().describe(), "memory");
/// assert!(fib::store().cache().capacity() >= 1024); // the engine itself
/// fib::clear()
/// # }
/// ```
///
/// So no module and no other type next to the function can have its name. If a function has the name of a crate, such as `bytes`,
/// other code in that module writes `::bytes` for the crate. `companion = name` gives the companion another name. A function
/// `area` in `mod area; pub use area::area;` needs that, because the module and the companion would have one name.
///
/// A method has no companion, because an `impl` cannot have types. To control its cache, decorate a free function and call that
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

/// Remembers the results of a function in memory, and in the best backend on disk that can be opened, as
/// [`ucache`](fn@crate::ucache) does.
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
/// assert_eq!(square(12), 144); // the next run of the program finds it
/// ```
///
/// Functions, arguments, results, options and companions are as [`mcache`](macro@crate::mcache) describes them. A value needs
/// the derive [`CacheValue`](derive@crate::CacheValue). Names and versions are as [`bcache`](macro@crate::bcache) describes them.
///
/// # Options
///
/// `max_entries`, `max_bytes`, `version`, `dir`, `name`, `trust`, `backend`, `ttl`, `patience`, `key`, `skip`, `companion`,
/// `crate`.
#[cfg(feature = "ucache")]
pub use twat_cache_macros::ucache;
