//! What is written for a function in an `impl` or a `trait`, where nothing may stand beside it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{FnArg, Pat, Signature};

use crate::companion::cell_name;
use crate::expand::Parts;
use crate::function::{Argument, Function};
use crate::key::copy_of_self;
use crate::options::ours;

impl Parts<'_> {
    /// In an `impl`, where nothing may stand beside it.
    pub(crate) fn method(&self) -> TokenStream {
        let Self { function, private, .. } = self;
        let Function { attributes, lints, visibility, signature, generics, output, block, .. } = function;
        let Signature { asyncness, ident: name, inputs, .. } = signature;
        let where_clause = &generics.where_clause;
        let receiver = inputs.iter().filter(|input| matches!(input, FnArg::Receiver(_)));
        let parameters = self.parameters();
        // By its name in the key, and as the body has it inside of the closure.
        let bound = function.arguments.iter().map(|argument| {
            let Argument { pattern, r#type, .. } = argument;
            let handed_over = self.handed_over(argument);
            let is_mutable = matches!(pattern, Pat::Ident(named) if named.mutability.is_some());
            let is_itself = argument.is_plain() && !is_mutable && !(argument.is_in_key && argument.referent.is_none());
            if is_itself { quote!() } else { quote!(let #pattern: #r#type = #handed_over;) }
        });
        let (body, memo, cell) = (ours("body"), ours("memo"), cell_name());
        let import = self.import();
        let (target, ordinal) = (self.target(), self.ordinal);
        let open = self.open(&quote!(#private::name_around(#target, #ordinal, &|| ())));
        let key = self.make(&self.key(false).value(private));
        let copy = copy_of_self(function, self.options, private);
        let ask = self.ask(&quote!(#memo), "try_call_sharing", &quote!(#body()));
        let (arrow, statements) = (self.arrow(), &block.stmts);
        let (is_async, body_of) = match &function.future {
            // The future that another macro has made of an `async fn`.
            Some(future) => (Some(quote!(async)), quote!((move || -> #future { #(#statements)* })().await)),
            None => (asyncness.map(|asyncness| quote!(#asyncness)), quote!(#(#statements)*)),
        };
        let asks = quote! {
            #[allow(unused_imports)]
            #import
            static #cell: #private::MemoCell = #private::MemoCell::new();
            let #memo = #cell.get(#private::place_of(&|| ()), || #open);
            #copy
            #key
            // It may change what it takes, or may not.
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
            #(#lints)*
            // The body gets a copy of what the key is made of.
            #[allow(clippy::needless_pass_by_value)]
            #visibility #asyncness fn #name #generics(#(#receiver,)* #parameters) #arrow #where_clause {
                #asks
            }
        }
    }
}
