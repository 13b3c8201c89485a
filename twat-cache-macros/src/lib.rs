//! The attributes of [twat-cache](https://docs.rs/twat-cache), which re-exports them: use them from there.

#![forbid(unsafe_code)]

mod companion;
mod context;
mod expand;
mod function;
mod key;
mod method;
mod options;
mod refuse;

use proc_macro::TokenStream;

use function::Function;
use options::{Options, Wrapper};

fn decorate(wrapper: Wrapper, attribute: TokenStream, item: TokenStream) -> TokenStream {
    let place = proc_macro::Span::call_site();
    let expanded = Options::parse(wrapper, attribute.into()).and_then(|options| {
        let function = Function::parse(&options, item.clone().into())?;
        let in_impl = function.receiver.is_some() || function.mentions_self() || context::is_in_impl(place);
        if !in_impl {
            refuse::name(&function.signature.ident)?;
        }
        Ok(expand::expand(&function, &options, in_impl))
    });
    expanded
        .unwrap_or_else(|error| {
            // The function stays, so that its callers are not reported as well.
            let (error, item) = (error.into_compile_error(), proc_macro2::TokenStream::from(item));
            quote::quote!(#error #item)
        })
        .into()
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

/// Remembers the results of a function in files.
#[proc_macro_attribute]
pub fn fcache(attribute: TokenStream, item: TokenStream) -> TokenStream {
    decorate(Wrapper::File, attribute, item)
}

/// Remembers the results of a function wherever is best.
#[proc_macro_attribute]
pub fn ucache(attribute: TokenStream, item: TokenStream) -> TokenStream {
    decorate(Wrapper::Unified, attribute, item)
}
