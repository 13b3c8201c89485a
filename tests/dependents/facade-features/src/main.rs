//! Each feature of `twat-cache` by itself, and combinations. The runs `first` and `second` use one cache directory.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

mod bare;
#[cfg(feature = "disk")]
mod disk;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "macros")]
mod macros;
#[cfg(feature = "mem")]
mod mem;
#[cfg(feature = "remote")]
mod remote;
#[cfg(all(feature = "disk", feature = "serde"))]
mod serde;
#[cfg(feature = "shared")]
mod shared;
#[cfg(feature = "stats")]
mod stats;
#[cfg(feature = "ucache")]
mod ucache;

fn main() -> Result<(), twat_cache::Error> {
    let second = std::env::args().nth(1).as_deref() == Some("second");
    // How many times this run computes a result that the cache stores on disk.
    let lasting = usize::from(!second);

    bare::check()?;
    #[cfg(feature = "mem")]
    mem::check()?;
    #[cfg(feature = "disk")]
    disk::check(lasting)?;
    #[cfg(feature = "shared")]
    shared::check(lasting)?;
    #[cfg(feature = "file")]
    file::check(lasting)?;
    #[cfg(feature = "remote")]
    remote::check(lasting)?;
    #[cfg(all(feature = "disk", feature = "serde"))]
    serde::check(lasting)?;
    #[cfg(feature = "ucache")]
    ucache::check(lasting)?;
    #[cfg(feature = "macros")]
    macros::check(lasting)?;
    #[cfg(feature = "stats")]
    stats::check();
    // Without some features, `lasting` is unused.
    let _ = lasting;
    Ok(())
}
