//! The derive for values on disk.

/// Makes a type a [`CacheValue`](trait@crate::CacheValue), so that its values can be stored on disk.
///
/// ```
/// # fn dir() -> std::path::PathBuf { std::env::temp_dir().join("twat-cache docs") }
/// # #[cfg(feature = "disk")] {
/// use twat_cache::{CacheValue, bcache};
///
/// #[derive(CacheValue, Clone, Debug, PartialEq)]
/// struct Weather {
///     celsius: f64,
///     wind: Option<Wind>,
/// }
///
/// #[derive(CacheValue, Clone, Debug, PartialEq)]
/// enum Wind {
///     From(String),
///     Changing,
/// }
///
/// #[bcache(dir = dir())]
/// fn weather(city: &str) -> Weather {
///     Weather { celsius: city.len() as f64, wind: Some(Wind::Changing) }
/// }
///
/// assert_eq!(weather("Riga").celsius, 4.0);
/// # }
/// ```
///
/// It works on structs and enums, also on those that are generic, contain themselves, or contain each other. If two generic types
/// contain each other, one of the fields needs `#[rkyv(omit_bounds)]`. Each field needs to be a
/// [`CacheValue`](trait@crate::CacheValue), too. It must not be borrowed.
///
/// # Edits
///
/// The names, the order and the types of all fields and variants are a part of the cache's namespace, also those of types
/// inside. So if you edit such a type, the results of functions that return it are computed anew. If you undo the edit, the old
/// results are found again.
///
/// The code of a type is not a part of it. If its numbers mean something else from now on, give the cache another `version`.
///
/// # Fields
///
/// - A field of type `usize` or `isize` is stored as 64 bits. In a `Vec<usize>` and other types, 32 bits are stored. A value with
///   a larger number there is returned and not stored, and one warning is logged.
/// - `#[cache_value(opaque = "v1")]` is for a field whose type implements rkyv's traits and not
///   [`CacheValue`](trait@crate::CacheValue). The text stands for its names, order and types: choose another one when they change.
/// - `#[rkyv(with = …)]` stores a field in another form, as in [rkyv](crate::rkyv::with). If the type of the field is a
///   [`CacheValue`](trait@crate::CacheValue), its edits count, too. Those of the other form do not count.
///
/// ```
/// use std::path::PathBuf;
/// use twat_cache::CacheValue;
/// use twat_cache::rkyv::with::AsString;
///
/// #[derive(CacheValue)]
/// struct Picture {
///     #[rkyv(with = AsString)]
///     path: PathBuf,
///     pixels: Vec<u8>,
/// }
/// ```
///
/// # What else it writes
///
/// The derive writes the derives `Archive`, `Serialize` and `Deserialize` of [`rkyv`](crate::rkyv), so a type has either these or
/// this one. Attributes `#[rkyv(…)]` are passed on. The stored form of `Weather` is the type `ArchivedWeather`, which a
/// [`View`](crate::View) shows. For a public enum with named fields, that name is an alias.
///
/// `#[cache_value(crate = path)]` at the type is the path of `twat_cache`, if it has another name.
pub use twat_cache_macros::CacheValue;
