//! What is written for free functions and for methods alike.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::fingerprint::fingerprint;
use crate::function::{Function, ours};
use crate::options::{Options, Wrapper};

/// Imports what the written code is made of as `__cache`, and what asks about types.
pub(crate) fn import(options: &Options) -> TokenStream {
    let krate = &options.krate;
    quote!(use #krate::__private_0_1::{self as __cache, by_type::*};)
}

/// Makes the memo. `name` is the name of the cache if none is given.
pub(crate) fn open(function: &Function, options: &Options, name: &TokenStream) -> TokenStream {
    let wrapper = format_ident!("{}", options.wrapper.name());
    let settings = options.settings.iter().map(|(setting, value)| {
        let span = value.as_ref().map_or(setting.span(), syn::spanned::Spanned::span);
        quote_spanned!(span=> .#setting(#value))
    });
    let builder = if options.wrapper.is_persistent() {
        let name = options.name.as_ref().map_or_else(|| name.clone(), |name| quote!(#name));
        let version = options
            .version
            .as_ref()
            .map_or_else(|| fingerprint(function.tokens()).into_token_stream(), ToTokens::to_token_stream);
        let meaning = fingerprint(options.key_tokens());
        quote!(__cache::#wrapper(#name).version((#version, #meaning)))
    } else {
        quote!(__cache::#wrapper())
    };
    // What the value lacks is said at the return type.
    let span = function.output.span();
    let open = match options.wrapper {
        Wrapper::Memory => quote_spanned!(span=> .open()),
        Wrapper::Disk | Wrapper::File => quote_spanned!(span=> .with_memory()),
        Wrapper::Unified => quote_spanned!(span=> .build()),
    };
    let patience = options.patience.as_ref().map(|patience| quote_spanned!(patience.span()=> .patience(#patience)));
    quote!(__cache::Memo::new(#builder #(#settings)* #open, ()) #patience)
}

/// What the name of a persistent cache has before the function's path: the package, and the program if the function is in one. It
/// may have the name of the library.
pub(crate) fn target() -> String {
    let variables = ["CARGO_PKG_NAME", "CARGO_BIN_NAME"].map(|variable| std::env::var(variable).ok());
    variables.into_iter().flatten().map(|name| name + " ").collect()
}

/// Asks the memo for the result for a key by this method. `compute` is the call that computes it.
pub(crate) fn ask(
    function: &Function,
    memo: &TokenStream,
    method: &str,
    key: &TokenStream,
    compute: &TokenStream,
) -> TokenStream {
    let (output, computing) = (&function.output, ours("compute"));
    let sharing = method.ends_with("sharing").then(|| quote!(__is::<#output>().sharing(),));
    let is_async = function.is_async().then(|| quote!(async));
    let wait = function.is_async().then(|| quote!(.await));
    let method = if function.is_async() { format_ident!("{method}_async") } else { format_ident!("{method}") };
    quote! {
        let #computing = #is_async || __is::<#output>().begin(#compute #wait);
        __is::<#output>().end(#memo.#method(&#key, #sharing #computing) #wait)
    }
}
