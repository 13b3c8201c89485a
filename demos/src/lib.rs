//! The examples of this package are larger programs that show the uses of twat-cache.
#![forbid(unsafe_code)]
