//! What is written for a function in a module or in another function: the function, and a type of its name beside it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Signature;

use crate::expand::Parts;
use crate::function::{Argument, Function};
use crate::options::{Wrapper, ours};

/// What a companion has.
pub(crate) const CONTROLS: [&str; 9] =
    ["uncached", "refresh", "view", "peek", "forget", "clear", "len", "store", "memo"];

impl Parts<'_> {
    /// In a module or a function: with a companion beside it.
    pub(crate) fn free(&self) -> TokenStream {
        let Self { function, private, ordinal, .. } = self;
        let Function { attributes, conditions, visibility, signature, companion, generics, output, block, .. } =
            function;
        let Signature { asyncness, ident: name, inputs, .. } = signature;
        let (parameters, arrow, where_clause) = (self.parameters(), self.arrow(), &generics.where_clause);
        let lints = function.quieted_lints();
        let (place, target) = (cell_name(), self.target());
        let open = self.open(&quote!(#private::name_of::<#companion>(#target, #ordinal)));
        let call = self.compute("try_call_sharing");
        let refresh = self.compute("try_refresh_with");
        let view = (self.options.wrapper == Wrapper::File).then(|| self.view());
        let key_of = self.key_of();
        let key = self.key_at_hand();
        let kept = self.key(true).owned(private);
        let store = match self.options.wrapper {
            Wrapper::Memory => quote!(#private::MemStore<__Key, __Value>),
            Wrapper::Disk => quote!(#private::DiskFallback<__Value>),
            Wrapper::File => quote!(#private::FileFallback<__Value>),
            Wrapper::Unified => quote!(#private::UnifiedStore<__Key, __Value>),
        };
        let import = self.import();
        let link = format!("[`{name}`](fn@{name})");
        let doc = format!("The controls of what {link} remembers, by `#[{}]`.", self.options.wrapper.name());
        let uncached_doc = format!("Computes what {link} would, and remembers nothing.");
        let refresh_doc = format!("Computes what {link} would, and remembers it in place of what was there.");
        let peek_doc = format!("What {link} remembers for these arguments, without ever computing it.");
        let memo_doc = format!("The memo behind {link}.");
        quote! {
            #(#attributes)*
            #(#lints)*
            #[allow(unused_imports, unused_qualifications)]
            #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
            #visibility #asyncness fn #name #generics(#parameters) #arrow #where_clause {
                #import
                #call
            }

            #(#conditions)*
            #[doc = #doc]
            #[allow(non_camel_case_types, dead_code, clippy::all, clippy::pedantic)]
            #visibility enum #companion {}

            #(#conditions)*
            impl #companion {
                #[doc = #uncached_doc]
                #(#lints)*
                #[allow(dead_code, unreachable_pub, clippy::pedantic, clippy::missing_const_for_fn)]
                #visibility #asyncness fn uncached #generics(#inputs) #arrow #where_clause #block
            }

            #(#conditions)*
            #(#lints)*
            #[allow(unused, unused_qualifications, unreachable_pub, non_local_definitions)]
            #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
            const _: () = {
                #import
                type __Key = #kept;
                type __Value = <#output as #private::Outcome<{ __Is::<#output>::RESULT }>>::Value;
                type __Memo = #private::Memo<#store, ()>;
                static #place: #private::OnceLock<__Memo> = #private::OnceLock::new();

                impl #companion {
                    #key_of

                    #[doc = #refresh_doc]
                    #visibility #asyncness fn refresh #generics(#parameters) #arrow #where_clause {
                        #refresh
                    }

                    #view

                    #[doc = #peek_doc]
                    #visibility fn peek #generics(#parameters) -> #private::Answer<#private::Option<__Value>> #where_clause {
                        Self::memo().peek(&#key)
                    }

                    /// Forgets the result for these arguments; says whether there was one.
                    #visibility fn forget #generics(#parameters) -> #private::Answer<bool> #where_clause {
                        Self::memo().forget(&#key)
                    }

                    /// Forgets all results.
                    #visibility fn clear() -> #private::Answer<()> {
                        Self::memo().clear()
                    }

                    /// How many results are remembered.
                    #visibility fn len() -> #private::Answer<usize> {
                        Self::memo().len()
                    }

                    /// The store, and through it the engine.
                    #visibility fn store() -> &'static #store {
                        Self::memo().store()
                    }

                    #[doc = #memo_doc]
                    #visibility fn memo() -> &'static #private::Memo<#store, ()> {
                        #place.get_or_init(|| #open)
                    }
                }
            };
        }
    }

    /// Makes the key of arguments by reference: the one place where it is asked what they are.
    fn key_of(&self) -> Option<TokenStream> {
        let Self { function, private, options, .. } = self;
        let (generics, where_clause) = (&function.generics, &function.generics.where_clause);
        let parameters = function.arguments.iter().filter(|argument| argument.is_in_key).map(|argument| {
            let Argument { name, r#type, referent, .. } = argument;
            if referent.is_some() { quote!(#name: #r#type) } else { quote!(#name: &#r#type) }
        });
        let key = self.key(true).value(private);
        options.key.is_none().then(|| {
            quote! {
                fn __key #generics(#(#parameters),*) -> impl #private::Args<Owned = __Key> #where_clause {
                    #key
                }
            }
        })
    }

    /// The key of the arguments at hand.
    fn key_at_hand(&self) -> TokenStream {
        let Self { function, private, options, .. } = self;
        if options.key.is_some() {
            return self.key(false).value(private);
        }
        let companion = &function.companion;
        let arguments = function.arguments.iter().filter(|argument| argument.is_in_key);
        let arguments = arguments
            .map(|Argument { name, referent, .. }| if referent.is_some() { quote!(#name) } else { quote!(&#name) });
        quote!(#companion::__key(#(#arguments),*))
    }

    /// Asks the memo for the result, by this method.
    fn compute(&self, method: &str) -> TokenStream {
        let companion = &self.function.companion;
        let handed_over = self.function.arguments.iter().map(|argument| self.handed_over(argument));
        let make = self.make(&self.key_at_hand());
        let ask = self.ask(&quote!(#companion::memo()), method, &quote!(#companion::uncached(#(#handed_over),*)));
        quote!(#make #ask)
    }

    /// What `fcache` has besides: a look at the result where it lies.
    fn view(&self) -> TokenStream {
        let Self { function, private, .. } = self;
        let Function { visibility, signature, generics, output, .. } = function;
        let (asyncness, name, where_clause) = (&signature.asyncness, &signature.ident, &generics.where_clause);
        let (parameters, view) = (self.parameters(), self.compute("try_view_sharing"));
        let doc = format!(
            "A view of the result of [`{name}`](fn@{name}), where it lies: remembered, or computed and stored."
        );
        quote! {
            #[doc = #doc]
            #visibility #asyncness fn view #generics(
                #parameters
            ) -> <#output as #private::Outcome<{ __Is::<#output>::RESULT }>>::With<#private::View<__Value>>
            #where_clause {
                #view
            }
        }
    }
}

/// Where the memo is. A static's name can be seen by the body, so it is one that nobody has.
pub(crate) fn cell_name() -> syn::Ident {
    ours("__MEMO")
}
