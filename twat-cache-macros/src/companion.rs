//! What is written for a function in a module or in another function: the function, and a type of the same name.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Attribute, Signature};

use crate::expand::{ask, import, open, target};
use crate::function::{Argument, Function, ours};
use crate::key::{Key, given};
use crate::options::{Options, Wrapper};

/// The function and its companion. The ordinal tells its cache from others that may have the same path.
pub(crate) fn write(function: &Function, options: &Options, ordinal: usize) -> TokenStream {
    let Function { visibility, signature, companion, output, block, .. } = function;
    let Signature { asyncness, ident: name, inputs, generics, .. } = signature;
    let (parameters, arrow, where_clause) = (function.parameters(), function.arrow(), &generics.where_clause);
    let attributes = function.attributes_for_parts();
    let conditions: Vec<_> = attributes.iter().filter(|attribute| is_one_of(attribute, &["cfg"])).collect();
    let lints = attributes.iter().filter(|attribute| is_one_of(attribute, &["allow", "warn", "deny", "forbid"]));
    let lints: Vec<_> = lints.collect();

    let (key, make_key, kept) = key(function, options);
    let for_body = function.arguments.iter().map(Argument::for_body);
    let compute = quote!(#companion::uncached(#(#for_body),*));
    let ask = |method| {
        // A key that is given is made first, because the body takes the arguments.
        let name = ours("key");
        let (make, key) =
            if options.key.is_some() { (quote!(let #name = #key;), quote!(#name)) } else { (quote!(), key.clone()) };
        let ask = ask(function, &quote!(#companion::memo()), method, &key, &compute);
        quote!(#make #ask)
    };
    let (call, refresh) = (ask("try_call_sharing"), ask("try_refresh_with"));
    let view = (options.wrapper == Wrapper::File).then(|| view(function, &ask("try_view_sharing")));

    let import = import(options);
    let target = target();
    let open = open(function, options, &quote!(__cache::name_of::<#companion>(#target, #ordinal)));
    let store = match options.wrapper {
        Wrapper::Memory => quote!(__cache::MemStore<__Key, __Value>),
        Wrapper::Disk => quote!(__cache::DiskFallback<__Value>),
        Wrapper::File => quote!(__cache::FileFallback<__Value>),
        Wrapper::Unified => quote!(__cache::UnifiedStore<__Key, __Value>),
    };

    let link = format!("[`{name}`](fn@{name})");
    let doc = format!("Controls the results that {link} remembers, by `#[{}]`.", options.wrapper.name());
    let uncached_doc = format!("Computes the result of {link}, and stores nothing.");
    let refresh_doc = format!("Computes the result of {link}, and stores it, whatever is stored.");
    let peek_doc = format!("The stored result of {link} for these arguments. This never computes.");
    let memo_doc = format!("The memo behind {link}.");
    quote! {
        #(#attributes)*
        #[allow(unused_imports, unused_qualifications, clippy::all, clippy::pedantic, clippy::nursery)]
        #visibility #asyncness fn #name #generics(#parameters) #arrow #where_clause {
            #import
            #call
        }

        #(#conditions)*
        #[doc = #doc]
        #[allow(non_camel_case_types, dead_code, clippy::all, clippy::pedantic)]
        #visibility enum #companion {}

        // Apart from the rest, whose lints are allowed.
        #(#conditions)*
        impl #companion {
            #[doc = #uncached_doc]
            #(#lints)*
            #[allow(dead_code, unreachable_pub, clippy::pedantic, clippy::missing_const_for_fn)]
            #visibility #asyncness fn uncached #generics(#inputs) #arrow #where_clause #block
        }

        #(#conditions)*
        #(#lints)*
        #[allow(unused, unused_qualifications, unreachable_pub, non_local_definitions, clippy::all, clippy::pedantic)]
        const _: () = {
            #import
            type __Key = #kept;
            type __Value = <#output as __cache::Outcome<{ __Is::<#output>::RESULT }>>::Value;
            static __MEMO: __cache::OnceLock<__cache::Memo<#store, ()>> = __cache::OnceLock::new();

            impl #companion {
                #make_key

                #[doc = #refresh_doc]
                #visibility #asyncness fn refresh #generics(#parameters) #arrow #where_clause {
                    #refresh
                }

                #view

                #[doc = #peek_doc]
                #visibility fn peek #generics(#parameters) -> __cache::Result<__cache::Option<__Value>> #where_clause {
                    Self::memo().peek(&#key)
                }

                /// Forgets the result for these arguments. Returns whether there was one.
                #visibility fn forget #generics(#parameters) -> __cache::Result<bool> #where_clause {
                    Self::memo().forget(&#key)
                }

                /// Forgets all results.
                #visibility fn clear() -> __cache::Result<()> {
                    Self::memo().clear()
                }

                /// The number of stored results.
                #visibility fn len() -> __cache::Result<usize> {
                    Self::memo().len()
                }

                /// The store, which leads to the engine.
                #visibility fn store() -> &'static #store {
                    Self::memo().store()
                }

                #[doc = #memo_doc]
                #visibility fn memo() -> &'static __cache::Memo<#store, ()> {
                    __MEMO.get_or_init(|| #open)
                }
            }
        };
    }
}

fn is_one_of(attribute: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attribute.path().is_ident(name))
}

/// The key of the arguments at hand, the function that makes it of them, and the type of an entry's key. This function is the
/// only code that needs the traits of arguments, so a missing one is one error.
fn key(function: &Function, options: &Options) -> (TokenStream, Option<TokenStream>, TokenStream) {
    if let Some(key) = &options.key {
        return (given(function, key), None, quote!(__cache::Recorded));
    }
    let (companion, generics) = (&function.companion, &function.signature.generics);
    let where_clause = &generics.where_clause;
    let in_key = || function.arguments.iter().filter(|argument| argument.is_in_key);
    let references = in_key().map(Argument::by_reference);
    let parameters = in_key().map(|argument| {
        let Argument { name, r#type, .. } = argument;
        if argument.referent().is_some() { quote!(#name: #r#type) } else { quote!(#name: &#r#type) }
    });
    let key = Key::of(function, options, |argument| argument.name.to_token_stream());
    let (borrowed, owned) = (key.borrowed(), key.owned());
    let make = quote! {
        fn __key #generics(#(#parameters),*) -> impl __cache::Args<Owned = __Key> #where_clause {
            #borrowed
        }
    };
    (quote!(#companion::__key(#(#references),*)), Some(make), owned)
}

/// What the companion of an `fcache` has besides.
fn view(function: &Function, ask: &TokenStream) -> TokenStream {
    let Function { visibility, signature, output, .. } = function;
    let Signature { asyncness, ident: name, generics, .. } = signature;
    let (parameters, where_clause) = (function.parameters(), &generics.where_clause);
    let doc =
        format!("A view of the result of [`{name}`](fn@{name}) in its file. If it is not stored, it is computed.");
    quote! {
        #[doc = #doc]
        #visibility #asyncness fn view #generics(
            #parameters
        ) -> <#output as __cache::Outcome<{ __Is::<#output>::RESULT }>>::With<__cache::View<__Value>> #where_clause {
            #ask
        }
    }
}
