//! What is written for a function in an `impl` or a `trait`, which cannot have a companion.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{FnArg, Signature};

use crate::expand::{ask, import, open, target};
use crate::function::{Argument, Function, ours};
use crate::key::{Key, copy_of_self, given};
use crate::options::Options;

/// The function. The ordinal tells its cache from others that may have the same path.
pub(crate) fn write(function: &Function, options: &Options, ordinal: usize) -> TokenStream {
    let Function { attributes, visibility, signature, output, block, .. } = function;
    let Signature { asyncness, ident: name, inputs, generics, .. } = signature;
    let where_clause = &generics.where_clause;
    let receiver = inputs.iter().filter(|input| matches!(input, FnArg::Receiver(_)));
    let parameters = function.parameters();
    // The key has the arguments by their names. The body has them as they are in the source.
    let bound = function.arguments.iter().map(|argument| {
        let (Argument { pattern, r#type, .. }, for_body) = (argument, argument.for_body());
        quote!(let #pattern: #r#type = #for_body;)
    });
    let (body, memo, key) = (ours("body"), ours("memo"), ours("key"));
    let (import, target) = (import(options), target());
    let open = open(function, options, &quote!(__cache::name_around(#target, #ordinal, &|| ())));
    let copy = copy_of_self(function, options);
    let made = match &options.key {
        Some(key) => given(function, key),
        None => Key::of(function, options, Argument::by_reference).borrowed(),
    };
    let ask = ask(function, &quote!(#memo), "try_call_sharing", &quote!(#key), &quote!(#body()));
    let (arrow, statements) = (function.arrow(), &block.stmts);
    let is_async = function.is_async().then(|| quote!(async));
    let body_of = function.future.as_ref().map_or_else(
        || quote!(#(#statements)*),
        // The future that another macro has made of an `async fn`.
        |future| quote!((move || -> #future { #(#statements)* })().await),
    );
    // The body sees the name of a static, so nobody else has this one.
    let asks = quote! {
        #[allow(unused_imports)]
        #import
        static __MEMO: __cache::MemoCell = __cache::MemoCell::new();
        let #memo = __MEMO.get(__cache::instance_of(&|| ()), || #open);
        #copy
        let #key = #made;
        // It changes what it takes, or not.
        #[allow(unused_mut)]
        let mut #body = #is_async || -> #output {
            #(#bound)*
            #body_of
        };
        #ask
    };
    let asks = if function.future.is_some() { quote!(::std::boxed::Box::pin(async move { #asks })) } else { asks };
    quote_spanned! {signature.ident.span()=>
        #(#attributes)*
        // The body gets a copy of what the key is made of.
        #[allow(clippy::needless_pass_by_value)]
        #visibility #asyncness fn #name #generics(#(#receiver,)* #parameters) #arrow #where_clause {
            #asks
        }
    }
}
