//! The attributes and the derive of [twat-cache](https://docs.rs/twat-cache), which re-exports them: use them from there.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod companion;
mod context;
mod expand;
mod fingerprint;
mod function;
mod generics;
mod key;
mod method;
mod options;
mod refuse;
mod types;
mod value;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use proc_macro::TokenStream;
use quote::quote;

use fingerprint::fingerprint;
use function::Function;
use options::{Options, Wrapper};

fn decorate(wrapper: Wrapper, attribute: TokenStream, item: TokenStream) -> TokenStream {
    let span = proc_macro::Span::call_site();
    let expanded = Options::parse(wrapper, attribute.into()).and_then(|options| {
        let function = Function::parse(&options, item.clone().into(), || context::around(span))?;
        refuse::check(&function, &options)?;
        let write = if function.has_companion() { companion::write } else { method::write };
        Ok(write(&function, &options, ordinal(&function, &options)))
    });
    expanded
        .unwrap_or_else(|error| {
            // The function stays, so that its callers are not errors as well.
            let (error, item) = (error.into_compile_error(), proc_macro2::TokenStream::from(item));
            quote!(#error #item)
        })
        .into()
}

/// How many functions before this one, in this compilation, may have the same persistent cache. A path leaves out blocks, so these
/// are the functions of the same name and version. Only tokens count, so that edits of other code do not change the number.
fn ordinal(function: &Function, options: &Options) -> usize {
    static SEEN: Mutex<BTreeMap<u128, usize>> = Mutex::new(BTreeMap::new());
    if !options.wrapper.is_persistent() || options.name.is_some() {
        return 0;
    }
    let (name, meaning) = (&function.companion, options.key_tokens());
    // Two versions that are given may be equal, whatever their tokens are.
    let version = if options.version.is_some() { quote!(version) } else { function.tokens() };
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let count = seen.entry(fingerprint(quote!(#name (#meaning) (#version)))).or_default();
    *count += 1;
    *count - 1
}

/// Remembers the results of a function in memory.
#[proc_macro_attribute]
pub fn mcache(attribute: TokenStream, item: TokenStream) -> TokenStream {
    decorate(Wrapper::Memory, attribute, item)
}

/// Remembers the results of a function in an embedded database.
#[proc_macro_attribute]
pub fn bcache(attribute: TokenStream, item: TokenStream) -> TokenStream {
    decorate(Wrapper::Disk, attribute, item)
}

/// Remembers the results of a function in a database that all processes of a machine share.
#[proc_macro_attribute]
pub fn scache(attribute: TokenStream, item: TokenStream) -> TokenStream {
    decorate(Wrapper::Shared, attribute, item)
}

/// Remembers the results of a function in files.
#[proc_macro_attribute]
pub fn fcache(attribute: TokenStream, item: TokenStream) -> TokenStream {
    decorate(Wrapper::File, attribute, item)
}

/// Remembers the results of a function on a server that all machines share.
#[proc_macro_attribute]
pub fn rcache(attribute: TokenStream, item: TokenStream) -> TokenStream {
    decorate(Wrapper::Remote, attribute, item)
}

/// Remembers the results of a function in memory, in front of the best backend on disk.
#[proc_macro_attribute]
pub fn ucache(attribute: TokenStream, item: TokenStream) -> TokenStream {
    decorate(Wrapper::Unified, attribute, item)
}

/// Writes rkyv's derives and the shape of a type, so that its values can be kept on disk.
#[proc_macro_derive(CacheValue, attributes(cache_value, rkyv))]
pub fn cache_value(item: TokenStream) -> TokenStream {
    value::derive(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Removes the copy of a type that `#[derive(CacheValue)]` has written for rkyv's derives.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn discard(_: TokenStream, _copy: TokenStream) -> TokenStream {
    TokenStream::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ordinal of the next function in this compilation with these options and tokens, wherever it stands.
    fn next(options: &str, function: &str) -> usize {
        let options = Options::parse(Wrapper::Disk, options.parse().expect("tokens")).expect("options");
        let function = Function::parse(&options, function.parse().expect("tokens"), || None).expect("a function");
        ordinal(&function, &options)
    }

    #[test]
    fn only_functions_that_may_have_one_name_and_version_are_counted() {
        assert_eq!([(); 3].map(|()| next("", "fn counted(n: u32) -> u32 { n }")), [0, 1, 2]);
        // Comments, lines and other options say nothing.
        assert_eq!(next("max_bytes = 3", "// Above.\n\n fn counted(n : u32)\n -> u32 { /* n */ n }"), 3);
        assert_eq!(next("", "fn other(n: u32) -> u32 { n }"), 0);
        assert_eq!(next("", "fn counted(n: u32) -> u32 { n + 1 }"), 0);
        assert_eq!(next("key = n / 2", "fn counted(n: u32) -> u32 { n }"), 0);
        // What a version is, is not known here.
        assert_eq!(next("version = 1", "fn counted(n: u32) -> u32 { n }"), 0);
        assert_eq!(next("version = ONE", "fn counted(n: u32) -> u32 { n * 2 }"), 1);
        assert_eq!([(); 2].map(|()| next("name = \"given\"", "fn counted(n: u32) -> u32 { n }")), [0, 0]);
    }
}
