//! What is written for a function in a module or in another function: the function, and a type of its name beside it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Signature;

use crate::expand::Parts;
use crate::function::Function;
use crate::key::Key;
use crate::options::{Wrapper, ours};

impl Parts<'_> {
    /// In a module or a function: with a companion beside it.
    pub(crate) fn free(&self) -> TokenStream {
        let Self { function, private, value, .. } = self;
        let Function { attributes, conditions, lints, visibility, signature, generics, block, .. } = function;
        let Signature { asyncness, ident: name, inputs, .. } = signature;
        let parameters = self.parameters();
        let handed_over = function.arguments.iter().map(Self::handed_over).collect::<Vec<_>>();
        let where_clause = &generics.where_clause;
        let uncached = quote!(#name::uncached(#(#handed_over),*));
        let at_hand = quote!(#name::memo());
        let call = self.ask(&at_hand, "try_call_with", &uncached);
        let refresh = self.ask(&at_hand, "try_refresh_with", &uncached);
        let Key { make, reference, .. } = &self.key;
        let (memo_type, store_type) = (self.memo(), self.store());
        let package = quote!(::core::option_env!("CARGO_PKG_NAME"));
        let open = self.open(&quote!(#private::name_of::<#name>(#package)));
        let memo_static = ours("__TWAT_CACHE_MEMO");
        let view = (self.options.wrapper == Wrapper::File).then(|| self.view(&at_hand, &uncached));
        let docs = Docs::of(&name.to_string(), self.options.wrapper.name());
        let Docs {
            companion,
            uncached: uncached_doc,
            refresh: refresh_doc,
            peek,
            forget,
            clear,
            len,
            memo: memo_doc,
            store,
        } = &docs;
        let arrow = self.arrow();
        let quiet = quote! {
            #[allow(
                dead_code, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic, clippy::nursery
            )]
        };
        // Of what is not in the key they have no need.
        let unused = function.arguments.iter().any(|argument| !argument.is_in_key);
        let unused = unused.then(|| quote!(#[allow(unused_variables)]));
        quote! {
            #(#attributes)*
            #[allow(unused_mut, unused_qualifications, clippy::all, clippy::pedantic, clippy::nursery)]
            #visibility #asyncness fn #name #generics(#parameters) #arrow #where_clause {
                #call
            }

            #(#conditions)*
            #[doc = #companion]
            #[allow(non_camel_case_types, dead_code, clippy::all, clippy::pedantic)]
            #visibility enum #name {}

            #(#conditions)*
            #[allow(non_local_definitions, clippy::items_after_statements)]
            const _: () = {
                static #memo_static: #private::LazyLock<#memo_type> = #private::LazyLock::new(|| #open);

                impl #name {
                    #[doc = #uncached_doc]
                    #(#lints)*
                    #[allow(
                        dead_code, unreachable_pub, clippy::missing_errors_doc, clippy::missing_panics_doc,
                        clippy::must_use_candidate, clippy::missing_const_for_fn, clippy::needless_pass_by_value
                    )]
                    #visibility #asyncness fn uncached #generics(#inputs) #arrow #where_clause #block
                }

                #quiet
                impl #name {
                    #[doc = #refresh_doc]
                    #visibility #asyncness fn refresh #generics(#parameters) #arrow #where_clause {
                        #refresh
                    }

                    #view

                    #[doc = #peek]
                    #unused
                    #visibility fn peek #generics(
                        #parameters
                    ) -> ::core::result::Result<::core::option::Option<#value>, #private::Error> #where_clause {
                        #make
                        #at_hand.peek(#reference)
                    }

                    #[doc = #forget]
                    #unused
                    #visibility fn forget #generics(
                        #parameters
                    ) -> ::core::result::Result<bool, #private::Error> #where_clause {
                        #make
                        #at_hand.forget(#reference)
                    }

                    #[doc = #clear]
                    #visibility fn clear() -> ::core::result::Result<(), #private::Error> {
                        #at_hand.clear()
                    }

                    #[doc = #len]
                    #visibility fn len() -> ::core::result::Result<usize, #private::Error> {
                        #at_hand.len()
                    }

                    #[doc = #store]
                    #visibility fn store() -> &'static #store_type {
                        #at_hand.store()
                    }

                    #[doc = #memo_doc]
                    #visibility fn memo() -> &'static #memo_type {
                        &#memo_static
                    }
                }
            };
        }
    }

    /// What `fcache` has besides: a look at the result where it lies.
    fn view(&self, memo: &TokenStream, uncached: &TokenStream) -> TokenStream {
        let Self { function, private, outcome, value, .. } = self;
        let Function { visibility, signature, generics, .. } = function;
        let (asyncness, where_clause, parameters) = (&signature.asyncness, &generics.where_clause, self.parameters());
        let view = self.ask(memo, "try_view_with", uncached);
        let doc = format!(
            "A view of the result of [`{0}`](fn@{0}), where it lies: remembered, or computed and stored.",
            signature.ident
        );
        quote! {
            #[doc = #doc]
            #visibility #asyncness fn view #generics(
                #parameters
            ) -> #outcome::With<#private::View<#value>> #where_clause {
                #view
            }
        }
    }
}

/// What rustdoc says of the companion.
struct Docs {
    companion: String,
    uncached: String,
    refresh: String,
    peek: String,
    forget: String,
    clear: String,
    len: String,
    memo: String,
    store: String,
}

impl Docs {
    fn of(name: &str, attribute: &str) -> Self {
        let function = format!("[`{name}`](fn@{name})");
        Self {
            companion: format!("The controls of what [`{name}`](fn@{name}) remembers, by `#[{attribute}]`."),
            uncached: format!("Computes what {function} would, and remembers nothing."),
            refresh: format!("Computes what {function} would, and remembers it in place of what was there."),
            peek: format!("What {function} remembers for these arguments, without ever computing it."),
            forget: "Forgets the result for these arguments; says whether there was one.".into(),
            clear: "Forgets all results.".into(),
            len: "How many results are remembered.".into(),
            memo: format!("The memo behind {function}."),
            store: "The store, and through it the engine.".into(),
        }
    }
}
