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
/// Functions may be generic, too. Each instance has a cache of its own:
///
/// ```
/// use std::str::FromStr;
/// use twat_cache::mcache;
///
/// #[mcache]
/// fn parse<T: FromStr>(text: &str) -> Result<T, T::Err> {
///     text.parse()
/// }
///
/// assert_eq!((parse::<u32>("3"), parse::<f64>("3")), (Ok(3), Ok(3.0)));
/// ```
///
/// The attribute adds what the cache needs to the bounds of type parameters: `Hash + Eq + Clone + Send + Sync + 'static` for those
/// in the key, and `Clone + Send + Sync + 'static` for those in the result. In the result of a persistent function they also need
/// `CacheValue`, or serde's traits with the option `serde`. A path inside a collection whose elements are a parameter is compared by
/// its `Eq`. On disk, the name of an instance has the names of its types. If these are not all of the standard library, its results
/// are found by programs of the same compiler only.
///
/// `const` and `unsafe` functions, `impl Trait`, borrowed results, and `&mut` arguments that are not skipped do not compile. The
/// error tells what to do instead.
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
/// - `max_entries`, `ttl`, `stale` and `patience` are as those of [`MemBuilder`](crate::mem::MemBuilder).
/// - `on_evict = f` is as [`on_evict`](crate::mem::MemBuilder#method.on_evict) there. The key is the argument, or a tuple of the
///   arguments, all of them owned and without those that are skipped.
/// - `keep_if = f` and `ttl_by = f` are as [`Memo::keep_if`](crate::Memo::keep_if) and [`Memo::ttl_by`](crate::Memo::ttl_by). They
///   see what is stored: of a `Result`, the value in `Ok`. With both, `keep_if` is asked first.
/// - `skip(a, self)`: these arguments are not part of the key.
/// - `key = (…)`: this is the key, and not the arguments. It may use the arguments, and it needs only `Hash`. What it hashes is
///   compared, floats and paths as above.
/// - `companion = name`: the name of the companion, see below.
/// - `memo = name`: the name of a function that gives the memo of a method, see below.
/// - `crate = path`: the path of `twat_cache`, if it has another name.
///
/// Closures need not tell the types of their parameters:
///
/// ```
/// use std::time::Duration;
/// use twat_cache::mcache;
///
/// #[derive(Clone)]
/// struct Page {
///     max_age: u64,
///     text: String,
/// }
///
/// // For an hour after its time, a page is still good enough if no other can be fetched.
/// #[mcache(
///     ttl_by = |page| Duration::from_secs(page.max_age),
///     keep_if = |page| !page.text.is_empty(),
///     stale = Duration::from_secs(3600)
/// )]
/// fn fetch(url: &str) -> Result<Page, std::io::Error> {
///     Ok(Page { max_age: 60, text: String::from(url) })
/// }
///
/// assert_eq!(fetch("/")?.text, "/");
/// assert_eq!(fetch("")?.text, ""); // the next call fetches again
/// assert_eq!(fetch::len().unwrap(), 1);
///
/// #[mcache(max_entries = 1, on_evict = |(text, times), copies| println!("{text} * {times} was {}", copies.len()))]
/// fn repeat(text: &str, times: usize) -> String {
///     text.repeat(times)
/// }
///
/// assert_eq!((repeat("ab", 1), repeat("ab", 2)), ("ab".into(), "abab".into())); // prints: ab * 1 was 2
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Arguments that do not change the result are skipped, or the key is given:
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
/// fib::insert(91, 4_660_046_610_375_530_309)?; // stores what is known from elsewhere
/// assert_eq!(fib::memo().describe(), "memory");
/// assert!(fib::store().cache().capacity() >= 1024); // the engine itself
/// fib::clear()
/// # }
/// ```
///
/// The companion of an async function also has `peek_async`, `insert_async`, `forget_async`, `clear_async` and `len_async`, which do
/// not block the thread while a store answers. Its `refresh` and `uncached` are async.
///
/// `peek`, `insert` and `forget` take no arguments that are not part of the key: none that are skipped, and with `key = …` only
/// those that its expression names.
///
/// No module and no other type next to the function can have its name. If a function has the name of a crate, such as `bytes`,
/// other code in that module writes `::bytes` for the crate. `companion = name` gives the companion another name. A function
/// `area` in `mod area; pub use area::area;` needs that, because the module and the companion would have one name.
///
/// # The memo of a method
///
/// A method has no companion, because an `impl` cannot have types. With `memo = name`, a function of this name beside it gives its
/// [`Memo`](crate::Memo):
///
/// ```
/// use twat_cache::{Call, mcache};
///
/// #[derive(Clone, PartialEq, Eq, Hash)]
/// struct Shop {
///     city: String,
/// }
///
/// impl Shop {
///     #[mcache(memo = prices)]
///     fn price(&self, item: &str) -> usize {
///         self.city.len() * item.len()
///     }
///
///     #[mcache(memo = taxes, skip(self))]
///     fn tax(&self, price: usize) -> usize {
///         price / 5
///     }
/// }
///
/// let shop = Shop { city: "Riga".into() };
/// assert_eq!((shop.price("tea"), shop.tax(100)), (12, 20));
/// assert_eq!(Shop::prices().peek(&Call((&shop, "tea")))?, Some(12)); // several arguments
/// assert!(Shop::prices().forget(&Call((&shop, "tea")))?);
/// assert_eq!(Shop::taxes().peek(&100)?, Some(20)); // one argument
/// Shop::taxes().clear()?;
/// # Ok::<(), twat_cache::Error>(())
/// ```
///
/// The key is the argument, or a [`Call`](crate::Call) of references to the arguments, without those that are skipped. An argument
/// that is a tuple is a `Call` in this `Call`. A path is given as its `as_os_str()`. Keys with floats, and those of `key = …`,
/// cannot be written: such a memo can be cleared. The `memo()` of a companion has the same keys.
///
/// In a generic `impl` and in that of a trait there is no such function. There, decorate a free function, and call that from the
/// method.
pub use twat_cache_macros::mcache;
