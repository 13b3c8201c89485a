//! Larger programs that show what twat-cache is for: they are the examples of this package.
#![forbid(unsafe_code)]
