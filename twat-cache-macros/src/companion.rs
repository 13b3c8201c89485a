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
        let Self { function, private, .. } = self;
        let Function { attributes, conditions, visibility, signature, generics, .. } = function;
        let Signature { asyncness, ident: name, .. } = signature;
        let (parameters, arrow, where_clause) = (self.parameters(), self.arrow(), &generics.where_clause);
        let lints = function.quieted_lints();
        let call = self.ask(&self.at_hand(), "try_call_with", &self.uncached_call());
        let doc = format!("The controls of what {} remembers, by `#[{}]`.", self.link(), self.options.wrapper.name());
        let (memo, place) = (self.memo(), cell_name());
        let target = self.target();
        let open = self.open(&quote!(#private::name_of::<#name>(#target)));
        let (uncached, by_arguments, of_all) = (self.uncached(), self.by_arguments(), self.of_all(&open));
        quote! {
            #(#attributes)*
            #(#lints)*
            #[allow(unused_mut, unused_qualifications, clippy::all, clippy::pedantic, clippy::nursery)]
            #visibility #asyncness fn #name #generics(#parameters) #arrow #where_clause {
                #call
            }

            #(#conditions)*
            #[doc = #doc]
            #[allow(non_camel_case_types, dead_code, clippy::all, clippy::pedantic)]
            #visibility enum #name {}

            #(#conditions)*
            #[allow(non_local_definitions, clippy::items_after_statements)]
            const _: () = {
                static #place: #private::OnceLock<#memo> = #private::OnceLock::new();

                impl #name {
                    #uncached
                }

                #(#lints)*
                #[allow(
                    dead_code, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic, clippy::nursery
                )]
                impl #name {
                    #by_arguments
                    #of_all
                }
            };
        }
    }

    /// The memo, from anywhere.
    fn at_hand(&self) -> TokenStream {
        let name = &self.function.signature.ident;
        quote!(#name::memo())
    }

    /// The function, for rustdoc.
    fn link(&self) -> String {
        let name = &self.function.signature.ident;
        format!("[`{name}`](fn@{name})")
    }

    /// Computes with the arguments at hand.
    fn uncached_call(&self) -> TokenStream {
        let name = &self.function.signature.ident;
        let handed_over = self.function.arguments.iter().map(Self::handed_over);
        quote!(#name::uncached(#(#handed_over),*))
    }

    /// The function as it was written.
    fn uncached(&self) -> TokenStream {
        let Function { visibility, signature, generics, block, .. } = self.function;
        let lints = self.function.quieted_lints();
        let Signature { asyncness, inputs, .. } = signature;
        let (arrow, where_clause) = (self.arrow(), &generics.where_clause);
        let doc = format!("Computes what {} would, and remembers nothing.", self.link());
        quote! {
            #[doc = #doc]
            #(#lints)*
            #[allow(
                dead_code, unreachable_pub, clippy::missing_errors_doc, clippy::missing_panics_doc,
                clippy::must_use_candidate, clippy::missing_const_for_fn, clippy::needless_pass_by_value
            )]
            #visibility #asyncness fn uncached #generics(#inputs) #arrow #where_clause #block
        }
    }

    /// What is about one result.
    fn by_arguments(&self) -> TokenStream {
        let Self { function, private, value, key: Key { make, reference, .. }, .. } = self;
        let Function { visibility, signature, generics, .. } = function;
        let (asyncness, where_clause) = (&signature.asyncness, &generics.where_clause);
        let (parameters, arrow, memo) = (self.parameters(), self.arrow(), self.at_hand());
        let refresh = self.ask(&memo, "try_refresh_with", &self.uncached_call());
        let view = (self.options.wrapper == Wrapper::File).then(|| self.view());
        let refresh_doc = format!("Computes what {} would, and remembers it in place of what was there.", self.link());
        let peek_doc = format!("What {} remembers for these arguments, without ever computing it.", self.link());
        // Of what is not in the key, these two have no need.
        let unused = function.arguments.iter().any(|argument| !argument.is_in_key);
        let unused = unused.then(|| quote!(#[allow(unused_variables)]));
        quote! {
            #[doc = #refresh_doc]
            #visibility #asyncness fn refresh #generics(#parameters) #arrow #where_clause {
                #refresh
            }

            #view

            #[doc = #peek_doc]
            #unused
            #visibility fn peek #generics(
                #parameters
            ) -> ::core::result::Result<::core::option::Option<#value>, #private::Error> #where_clause {
                #make
                #memo.peek(#reference)
            }

            /// Forgets the result for these arguments; says whether there was one.
            #unused
            #visibility fn forget #generics(
                #parameters
            ) -> ::core::result::Result<bool, #private::Error> #where_clause {
                #make
                #memo.forget(#reference)
            }
        }
    }

    /// What `fcache` has besides: a look at the result where it lies.
    fn view(&self) -> TokenStream {
        let Self { function, private, outcome, value, .. } = self;
        let Function { visibility, signature, generics, .. } = function;
        let (asyncness, where_clause, parameters) = (&signature.asyncness, &generics.where_clause, self.parameters());
        let view = self.ask(&self.at_hand(), "try_view_with", &self.uncached_call());
        let doc =
            format!("A view of the result of {}, where it lies: remembered, or computed and stored.", self.link());
        quote! {
            #[doc = #doc]
            #visibility #asyncness fn view #generics(
                #parameters
            ) -> #outcome::With<#private::View<#value>> #where_clause {
                #view
            }
        }
    }

    /// What is about all results.
    fn of_all(&self, open: &TokenStream) -> TokenStream {
        let Self { function, private, .. } = self;
        let visibility = &function.visibility;
        let (memo, memo_type, store_type, cell) = (self.at_hand(), self.memo(), self.store(), cell_name());
        let memo_doc = format!("The memo behind {}.", self.link());
        quote! {
            /// Forgets all results.
            #visibility fn clear() -> ::core::result::Result<(), #private::Error> {
                #memo.clear()
            }

            /// How many results are remembered.
            #visibility fn len() -> ::core::result::Result<usize, #private::Error> {
                #memo.len()
            }

            /// The store, and through it the engine.
            #visibility fn store() -> &'static #store_type {
                #memo.store()
            }

            #[doc = #memo_doc]
            #visibility fn memo() -> &'static #memo_type {
                #cell.get_or_init(|| #open)
            }
        }
    }
}

/// Where the memo is. A static's name can be seen by the body, so it is one that nobody has.
pub(crate) fn cell_name() -> syn::Ident {
    ours("__TWAT_CACHE_MEMO")
}
