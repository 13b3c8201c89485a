//! The guide, one page for each subject. It has no code.

#[cfg(all(feature = "macros", feature = "mem", feature = "disk"))]
#[doc = include_str!("attributes.md")]
pub mod attributes {}

#[cfg(all(feature = "mem", feature = "disk"))]
#[doc = include_str!("errors.md")]
pub mod errors {}

#[cfg(all(feature = "macros", feature = "remote"))]
#[doc = include_str!("machines.md")]
pub mod machines {}

#[cfg(all(feature = "macros", feature = "mem"))]
#[doc = include_str!("options.md")]
pub mod options {}

#[cfg(all(feature = "disk", feature = "file"))]
#[doc = include_str!("processes.md")]
pub mod processes {}

#[cfg(all(feature = "macros", feature = "mem"))]
#[doc = include_str!("tasks.md")]
pub mod tasks {}

#[doc = include_str!("stores.md")]
pub mod stores {}

#[cfg(all(feature = "macros", feature = "disk"))]
#[doc = include_str!("values.md")]
pub mod values {}
