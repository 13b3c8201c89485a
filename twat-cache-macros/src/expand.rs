//! What is written for free functions and for methods alike.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned as _;

use crate::fingerprint::fingerprint;
use crate::function::{Function, ours};
use crate::options::{Options, Wrapper};
use crate::types::Types;

/// Imports what the written code is made of as `__cache`, and what asks about types.
pub(crate) fn import(options: &Options) -> TokenStream {
    let krate = &options.krate;
    quote!(use #krate::__private_0_1::{self as __cache, by_type::*};)
}

/// Makes the memo. `name` is the name of the cache if none is given, and `key` tells the type of an entry's key.
pub(crate) fn open(function: &Function, options: &Options, name: &TokenStream, key: &TokenStream) -> TokenStream {
    let (wrapper, output) = (format_ident!("{}", options.wrapper.name()), &function.output);
    // What the value lacks is said at the return type.
    let span = Span::mixed_site().located_at(output.span());
    let settings = options.settings.iter().map(|(setting, value)| {
        let at = value.as_ref().map_or(setting.span(), syn::spanned::Spanned::span);
        match value {
            // So that a closure need not tell the types of its parameters.
            Some(value) if setting == "on_evict" => {
                quote_spanned!(at=> .on_evict(__cache::evicted(#key, __is::<#output>().value(), #value)))
            }
            value => quote_spanned!(at=> .#setting(#value)),
        }
    });
    let builder = if options.wrapper.is_persistent() {
        let name = match &options.name {
            None => name.clone(),
            Some(given) if function.has_instances() => quote!(__cache::name_given(#given, &|| ())),
            Some(given) => quote!(#given),
        };
        let (version, meaning) = version(function, options);
        let depends = (!options.depends.is_empty()).then(|| {
            let (to, depends) = (ours("to"), depends(options));
            quote!(, __cache::dependencies(|#to| { #depends }))
        });
        let codec = Ident::new(if options.serde { "serde_codec" } else { "codec" }, span);
        let codec = quote_spanned!(span=> __is::<#output>().value().#codec());
        quote!(__cache::#wrapper(#name).version((#version, #meaning #depends)).encoded_by(#codec))
    } else {
        quote!(__cache::#wrapper())
    };
    let open = match options.wrapper {
        Wrapper::Memory => quote_spanned!(span=> .open()),
        Wrapper::Remote if options.sets("near") => quote_spanned!(span=> .with_copies()),
        Wrapper::Disk | Wrapper::Shared | Wrapper::File | Wrapper::Remote => quote_spanned!(span=> .with_memory()),
        Wrapper::Unified => quote_spanned!(span=> .build()),
    };
    let memo = quote!(__cache::Memo::new(#builder #(#settings)* #open, ()));
    // For closures again.
    let memo = if options.rules.is_empty() { memo } else { quote!(__is::<#output>().kept_by(#memo)) };
    let rules = options.rules.iter().map(|(rule, value)| quote_spanned!(value.span()=> .#rule(#value)));
    let patience = options.patience.as_ref().map(|patience| quote_spanned!(patience.span()=> .patience(#patience)));
    quote!(#memo #(#rules)* #patience)
}

/// The version of a function, and a number for what its key means.
pub(crate) fn version(function: &Function, options: &Options) -> (TokenStream, u128) {
    let version = options.version.as_ref().map(ToTokens::to_token_stream);
    (version.unwrap_or_else(|| fingerprint(function.tokens()).into_token_stream()), fingerprint(options.key_tokens()))
}

/// Adds what the function depends on to `ours("to")`.
pub(crate) fn depends(options: &Options) -> TokenStream {
    let depends = options.depends.iter().map(|on| {
        let span = Span::mixed_site().located_at(on.span());
        let to = ours("to");
        quote_spanned!(span=> __is::<#on>().depend(#to);)
    });
    depends.collect()
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
    let (is_async, wait) = if function.is_async() { (quote!(async), quote!(.await)) } else { (quote!(), quote!()) };
    let method = if function.is_async() { format_ident!("{method}_async") } else { format_ident!("{method}") };
    let compute = quote!(let #computing = #is_async || __is::<#output>().begin(#compute #wait););
    if method.to_string().starts_with("view") {
        let result = Types::imported().answer(output, "RESULT");
        let sharing = quote!(__is::<#output>().sharing());
        return quote! {
            #compute
            __cache::Views::<#output, #result>::#method(#memo, &#key, #sharing, #computing) #wait
        };
    }
    quote! {
        #compute
        __is::<#output>().end(#memo.#method(&#key, #sharing #computing) #wait)
    }
}
