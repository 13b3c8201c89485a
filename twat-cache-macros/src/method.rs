//! What is written for a function that cannot have a companion: in an `impl` or a `trait`, or generic.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{FnArg, Ident, Signature};

use crate::expand::{ask, import, open, target};
use crate::function::{Argument, Function, ours};
use crate::generics::bounded;
use crate::key::{Key, copy_of_self, given};
use crate::options::Options;
use crate::types::Types;

/// The function. The ordinal tells its cache from others that may have the same path.
pub(crate) fn write(function: &Function, options: &Options, ordinal: usize) -> TokenStream {
    let Function { attributes, visibility, signature, output, block, .. } = function;
    let Signature { asyncness, ident: name, inputs, .. } = signature;
    let generics = &bounded(function, options);
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
    let own_memo = || {
        let name = quote!(__cache::name_around(#target, #ordinal, &|| ()));
        memo_of(&open(function, options, &name, &quote!(__cache::owned_of(&#key))))
    };
    let found = options.memo.as_ref().map_or_else(own_memo, |name| quote!(Self::#name()));
    let beside = options.memo.as_ref().map(|name| beside(function, options, ordinal, name));
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
    let (make_memo, make_key) = (quote!(let #memo = #found;), quote!(#copy let #key = #made;));
    // A hit is faster with the memo first. For `on_evict`, the key tells its type.
    let begin = if options.settings.iter().any(|(setting, _)| setting == "on_evict") {
        quote!(#make_key #make_memo)
    } else {
        quote!(#make_memo #make_key)
    };
    let asks = quote! {
        #[allow(unused_imports)]
        #import
        #begin
        // It changes what it takes, or not.
        #[allow(unused_mut)]
        let mut #body = #is_async || -> #output {
            #(#bound)*
            #body_of
        };
        #ask
    };
    let asks = if function.future.is_some() { quote!(::std::boxed::Box::pin(async move { #asks })) } else { asks };
    // There may be bounds already.
    let bounds = function.is_generic().then(|| {
        let lints = quote!(
            clippy::multiple_bound_locations,
            clippy::trait_duplication_in_bounds,
            clippy::type_repetition_in_bounds
        );
        quote!(#[allow(#lints)])
    });
    quote_spanned! {signature.ident.span()=>
        #(#attributes)*
        #bounds
        // The body gets a copy of what the key is made of.
        #[allow(clippy::needless_pass_by_value)]
        #visibility #asyncness fn #name #generics(#(#receiver,)* #parameters) #arrow #where_clause {
            #asks
        }

        #beside
    }
}

/// The memo of this instance, which this opens.
fn memo_of(open: &TokenStream) -> TokenStream {
    quote!({
        static __MEMO: __cache::MemoCell = __cache::MemoCell::new();
        __MEMO.get(__cache::instance_of(&|| ()), || #open)
    })
}

/// The function beside the method that gives the memo.
fn beside(function: &Function, options: &Options, ordinal: usize, name: &Ident) -> TokenStream {
    let (visibility, method, import, target) =
        (&function.visibility, function.signature.ident.to_string(), import(options), target());
    let types = Types::anywhere(options);
    let (cache, key, value) = (&types.cache, types.key(function, options), types.value(&function.output));
    let store = types.store(options, &key, &value, &types.codec(options, &value).unwrap_or_default());
    let name_of_cache = quote!(__cache::name_beside(#target, #ordinal, #method, &|| ()));
    let memo = memo_of(&open(function, options, &name_of_cache, &quote!(__cache::PhantomData::<fn() -> #key>)));
    let conditions = function.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let doc = format!("The memo behind [`{method}`](Self::{method}).");
    quote! {
        #(#conditions)*
        #[doc = #doc]
        #[allow(dead_code, unused_imports, unused_qualifications, clippy::all, clippy::pedantic)]
        #visibility fn #name() -> &'static #cache::Memo<#store, ()> {
            #import
            #memo
        }
    }
}
