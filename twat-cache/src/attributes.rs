//! The attributes. Each has the name of the function that does the same for closures.

#[cfg(feature = "mem")]
mod mcache;

#[cfg(feature = "mem")]
pub use mcache::mcache;

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
/// rkyv stores a result that is a [`CacheValue`](trait@crate::store::persist::CacheValue): numbers, texts, the collections of the
/// standard library, tuples of these, and types with the derive [`CacheValue`](derive@crate::CacheValue).
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
/// serde stores any other result (feature `serde`): paths, times, and types with serde's derives. The attribute sees which it is. A
/// result of neither kind does not compile.
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// # #[cfg(feature = "serde")] {
/// use serde::{Deserialize, Serialize};
/// use std::path::PathBuf;
/// use twat_cache::bcache;
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// struct Report {
///     file: PathBuf,
///     celsius: f64,
/// }
///
/// #[bcache(dir = dir())]
/// fn report(city: &str) -> Report {
///     Report { file: PathBuf::from(city).join("today.txt"), celsius: city.len() as f64 }
/// }
///
/// assert_eq!(report("Riga"), Report { file: "Riga/today.txt".into(), celsius: 4.0 });
/// # }
/// ```
///
/// With the option `serde`, serde stores the results in any case. With `compress` (feature `compress`) it does, too, and they are
/// compressed, for texts and documents:
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// # #[cfg(feature = "serde")] {
/// use twat_cache::bcache;
///
/// #[bcache(dir = dir(), serde)]
/// fn counts(text: &str) -> Vec<(char, u32)> {
///     text.chars().map(|letter| (letter, 1)).collect()
/// }
///
/// assert_eq!(counts("ab"), [('a', 1), ('b', 1)]);
/// # }
/// # #[cfg(feature = "compress")] {
/// # use twat_cache::bcache;
/// #[bcache(dir = dir(), compress)]
/// fn page(url: &str) -> String {
///     format!("<p>{url}</p>").repeat(100)
/// }
///
/// assert_eq!(page("/").len(), 800);
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
/// `depends(…)` adds what else the results depend on: decorated functions, by the path of their companion, and types that are
/// `CacheValue`. If such a function is edited, or the fields of such a type, the results are computed anew. What a function of the
/// list depends on itself counts as well.
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
///
/// #[bcache(dir = dir())]
/// fn words(text: &str) -> Vec<String> {
///     text.split(' ').map(String::from).collect()
/// }
///
/// #[bcache(dir = dir(), depends(words, Vec<String>))]
/// fn longest(text: &str) -> Option<String> {
///     words(text).into_iter().max_by_key(String::len)
/// }
///
/// assert_eq!(longest("a bird sings"), Some("sings".into()));
/// ```
///
/// # Options
///
/// `max_bytes`, `version`, `depends`, `dir`, `name`, `trust`, `serde`, `compress`, `ttl`, `stale`, `ttl_by`, `keep_if`, `patience`,
/// `key`, `skip`, `companion`, `memo`, `crate`.
#[cfg(feature = "disk")]
pub use twat_cache_macros::bcache;

/// Remembers the results of a function in a database that all processes of this machine share, as [`scache`](fn@crate::scache)
/// does. One process computes a result, and all find it.
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// use twat_cache::scache;
///
/// #[scache(dir = dir(), max_bytes = 64 << 20)]
/// fn length(text: &str) -> usize {
///     text.chars().count()
/// }
///
/// assert_eq!(length("hello"), 5);
/// ```
///
/// Functions, arguments, results, options and companions are as [`mcache`](macro@crate::mcache) describes them. Values, names and
/// versions are as [`bcache`](macro@crate::bcache) describes them.
///
/// # Options
///
/// `max_bytes`, `version`, `depends`, `dir`, `name`, `trust`, `serde`, `compress`, `ttl`, `stale`, `ttl_by`, `keep_if`, `patience`,
/// `key`, `skip`, `companion`, `memo`, `crate`.
#[cfg(feature = "shared")]
pub use twat_cache_macros::scache;

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
/// versions are as [`bcache`](macro@crate::bcache) describes them. The companion also has `view`, which returns a
/// [`View`](crate::View). If serde stores the results, there is none.
///
/// # Options
///
/// `max_bytes`, `version`, `depends`, `dir`, `name`, `trust`, `serde`, `access`, `verify`, `ttl`, `stale`, `ttl_by`, `keep_if`,
/// `patience`, `key`, `skip`, `companion`, `memo`, `crate`.
#[cfg(feature = "file")]
pub use twat_cache_macros::fcache;

/// Remembers the results of a function on a server that all machines share, as [`rcache`](fn@crate::rcache) does. One process of
/// one machine computes a result, and all find it.
///
/// ```
/// use std::time::Duration;
/// use twat_cache::rcache;
///
/// #[rcache(name = "rates", ttl = Duration::from_secs(3600))] // on the server that $TWAT_CACHE_SERVER names
/// fn rate(currency: &str) -> Result<f64, String> {
///     if currency == "EUR" { Ok(1.1) } else { Err(format!("no rate of {currency}")) }
/// }
///
/// assert_eq!(rate("EUR"), Ok(1.1)); // without a server, one warning, and memory serves
/// ```
///
/// Functions, arguments, results, options and companions are as [`mcache`](macro@crate::mcache) describes them. Values, names and
/// versions are as [`bcache`](macro@crate::bcache) describes them. Two builds of one function share their results. Functions of two
/// packages share theirs if `name` and `version` are given, and the type of the result is the same.
///
/// # Options
///
/// `server`, `timeout`, `max_value_bytes`, `version`, `depends`, `name`, `serde`, `compress`, `ttl`, `stale`, `ttl_by`, `keep_if`,
/// `patience`, `key`, `skip`, `companion`, `memo`, `crate`.
#[cfg(feature = "remote")]
pub use twat_cache_macros::rcache;

/// Remembers the results of a function in memory, in front of the best backend on disk, as [`ucache`](fn@crate::ucache) does.
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
/// Functions, arguments, results, options and companions are as [`mcache`](macro@crate::mcache) describes them. Values, names and
/// versions are as [`bcache`](macro@crate::bcache) describes them.
///
/// # Options
///
/// `max_entries`, `max_bytes`, `version`, `depends`, `dir`, `name`, `trust`, `serde`, `backend`, `ttl`, `stale`, `ttl_by`,
/// `keep_if`, `patience`, `key`, `skip`, `companion`, `memo`, `crate`.
#[cfg(feature = "ucache")]
pub use twat_cache_macros::ucache;
