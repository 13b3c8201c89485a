//! What is written for a function in a module or in another function: the function, and a type of the same name.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Attribute, Signature};

use crate::expand::{ask, depends, import, open, target, version};
use crate::fingerprint::fingerprint;
use crate::function::{Argument, Function, ours};
use crate::key::{Key, given, names};
use crate::options::{Options, Wrapper};
use crate::types::Types;

/// The function and its companion. The ordinal tells its cache from others that may have the same path.
pub(crate) fn write(function: &Function, options: &Options, ordinal: usize) -> TokenStream {
    let Function { visibility, signature, companion, block, .. } = function;
    let Signature { asyncness, ident: name, inputs, generics, .. } = signature;
    let (parameters, arrow, where_clause) = (function.parameters(), function.arrow(), &generics.where_clause);
    let attributes = function.attributes_for_parts();
    let conditions: Vec<_> = attributes.iter().filter(|attribute| is_one_of(attribute, &["cfg"])).collect();
    let lints = attributes.iter().filter(|attribute| is_one_of(attribute, &["allow", "warn", "deny", "forbid"]));
    let lints: Vec<_> = lints.collect();

    let (import, key, controls) = (import(options), key(function, options), controls(function, options, ordinal));
    let call = ask_by(function, options, "try_call_sharing", &key);
    let doc = format!("Controls the results that [`{name}`](fn@{name}) remembers, by `#[{}]`.", options.wrapper.name());
    let uncached_doc = format!("Computes the result of [`{name}`](fn@{name}), and stores nothing.");
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
            #controls
        };
    }
}

/// What the companion has besides `uncached`.
fn controls(function: &Function, options: &Options, ordinal: usize) -> TokenStream {
    let Function { visibility, signature, companion, output, .. } = function;
    let Signature { asyncness, ident: name, generics, .. } = signature;
    let (parameters, arrow, where_clause) = (function.parameters(), function.arrow(), &generics.where_clause);
    let (key, make_key) = (key(function, options), make_key(function, options));
    let refresh = ask_by(function, options, "try_refresh_with", &key);
    // Other arguments may be hard to come by where no result is computed.
    let in_key = function.parameters_if(|argument| match &options.key {
        Some(key) => names(key, argument),
        None => argument.is_in_key,
    });

    let (target, types) = (target(), Types::imported());
    let (kept, value) = (types.key(function, options), types.value(output));
    let codec = types.codec(options, &quote!(__Value)).map(|codec| quote!(type __Codec = #codec;));
    let store = types.store(options, &quote!(__Key), &quote!(__Value), &quote!(__Codec));
    let has_view = options.wrapper == Wrapper::File && !options.serde;
    let view = has_view.then(|| view(function, &ask_by(function, options, "view_of", &key), &store));
    let name_of_cache = quote!(__cache::name_of::<#companion>(#target, #ordinal));
    let open = open(function, options, &name_of_cache, &quote!(__cache::PhantomData::<fn() -> __Key>));
    let (tokens, meaning) = (function.tokens(), options.key_tokens());
    let (fingerprint, describe) = (fingerprint(quote!(#tokens (#meaning))), describe(function, options));

    let later = asyncness.map(|_| controls_for_tasks(function, &key, &in_key));
    let (link, new_value) = (format!("[`{name}`](fn@{name})"), ours("value"));
    let refresh_doc = format!("Computes the result of {link}, and stores it, whatever is stored.");
    let peek_doc = format!("The stored result of {link} for these arguments. This never computes.");
    let insert_doc = format!("Stores a result of {link} for these arguments, whatever is stored.");
    let memo_doc = format!("The memo behind {link}.");
    quote! {
        type __Key = #kept;
        type __Value = #value;
        #codec
        static __MEMO: __cache::OnceLock<__cache::Memo<#store, ()>> = __cache::OnceLock::new();

        impl __cache::Function for #companion {
            const FINGERPRINT: u128 = #fingerprint;
            #describe
        }

        impl #companion {
            #make_key

            #[doc = #refresh_doc]
            #visibility #asyncness fn refresh #generics(#parameters) #arrow #where_clause {
                #refresh
            }

            #view

            #[doc = #peek_doc]
            #visibility fn peek #generics(#in_key) -> __cache::Result<__cache::Option<__Value>> #where_clause {
                Self::memo().peek(&#key)
            }

            #[doc = #insert_doc]
            #visibility fn insert #generics(#in_key #new_value: __Value) -> __cache::Result<()> #where_clause {
                Self::memo().insert(&#key, &#new_value)
            }

            /// Forgets the result for these arguments. Returns whether there was one.
            #visibility fn forget #generics(#in_key) -> __cache::Result<bool> #where_clause {
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

            #later

            /// The store, which leads to the engine.
            #visibility fn store() -> &'static #store {
                Self::memo().store()
            }

            #[doc = #memo_doc]
            #visibility fn memo() -> &'static __cache::Memo<#store, ()> {
                __MEMO.get_or_init(|| #open)
            }
        }
    }
}

/// What the companion of an async function has besides: what does not block the thread while the store answers.
fn controls_for_tasks(function: &Function, key: &TokenStream, in_key: &TokenStream) -> TokenStream {
    let Function { visibility, signature, .. } = function;
    let (generics, where_clause) = (&signature.generics, &signature.generics.where_clause);
    let value = ours("value");
    quote! {
        /// Like `peek`, for a task: it does not block the thread while the store answers.
        #visibility async fn peek_async #generics(#in_key) -> __cache::Result<__cache::Option<__Value>> #where_clause {
            Self::memo().peek_async(&#key).await
        }

        /// Like `insert`, for a task.
        #visibility async fn insert_async #generics(#in_key #value: __Value) -> __cache::Result<()> #where_clause {
            Self::memo().insert_async(&#key, &#value).await
        }

        /// Like `forget`, for a task.
        #visibility async fn forget_async #generics(#in_key) -> __cache::Result<bool> #where_clause {
            Self::memo().forget_async(&#key).await
        }

        /// Like `clear`, for a task.
        #visibility async fn clear_async() -> __cache::Result<()> {
            Self::memo().clear_async().await
        }

        /// Like `len`, for a task.
        #visibility async fn len_async() -> __cache::Result<usize> {
            Self::memo().len_async().await
        }
    }
}

/// Asks the memo for the result for a key by this method.
fn ask_by(function: &Function, options: &Options, method: &str, key: &TokenStream) -> TokenStream {
    let companion = &function.companion;
    let for_body = function.arguments.iter().map(Argument::for_body);
    let compute = quote!(#companion::uncached(#(#for_body),*));
    // A key that is given is made first, because the body takes the arguments.
    let name = ours("key");
    let (make, key) =
        if options.key.is_some() { (quote!(let #name = #key;), quote!(#name)) } else { (quote!(), key.clone()) };
    let ask = ask(function, &quote!(#companion::memo()), method, &key, &compute);
    quote!(#make #ask)
}

fn is_one_of(attribute: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attribute.path().is_ident(name))
}

/// The key of the arguments at hand.
fn key(function: &Function, options: &Options) -> TokenStream {
    let companion = &function.companion;
    let references = function.arguments.iter().filter(|argument| argument.is_in_key).map(Argument::by_reference);
    let made = || quote!(#companion::__key(#(#references),*));
    options.key.as_ref().map_or_else(made, |key| given(function, key))
}

/// The function that makes the key of the arguments. It is the only code that needs their traits, so a missing one is one error.
fn make_key(function: &Function, options: &Options) -> Option<TokenStream> {
    if options.key.is_some() {
        return None;
    }
    let generics = &function.signature.generics;
    let where_clause = &generics.where_clause;
    let in_key = function.arguments.iter().filter(|argument| argument.is_in_key);
    let parameters = in_key.map(|argument| {
        let Argument { name, r#type, .. } = argument;
        if argument.referent().is_some() { quote!(#name: #r#type) } else { quote!(#name: &#r#type) }
    });
    let borrowed = Key::of(function, options, |argument| argument.name.to_token_stream()).borrowed();
    Some(quote! {
        fn __key #generics(#(#parameters),*) -> impl __cache::Args<Owned = __Key> #where_clause {
            #borrowed
        }
    })
}

/// What a function that depends on this one has in its version, unless it is only the fingerprint.
fn describe(function: &Function, options: &Options) -> Option<TokenStream> {
    if options.version.is_none() && options.depends.is_empty() {
        return None;
    }
    let ((version, meaning), to, depends) = (version(function, options), ours("to"), depends(options));
    Some(quote! {
        fn describe(#to: &mut __cache::Dependencies) {
            #to.add(&(#version, #meaning));
            #depends
        }
    })
}

/// What the companion of an `fcache` has besides. If serde stores the results, calling it is an error, and only that.
fn view(function: &Function, ask: &TokenStream, store: &TokenStream) -> TokenStream {
    let Function { visibility, signature, output, .. } = function;
    let Signature { asyncness, ident: name, generics, .. } = signature;
    let (parameters, result) = (function.parameters(), Types::imported().answer(output, "RESULT"));
    let conditions = generics.where_clause.as_ref().map(|conditions| &conditions.predicates);
    let (memo, views) = (quote!(__cache::Memo<#store, ()>), quote!(__cache::Views<#output, #result>));
    let doc =
        format!("A view of the result of [`{name}`](fn@{name}) in its file. If it is not stored, it is computed.");
    quote! {
        #[doc = #doc]
        #visibility #asyncness fn view #generics(#parameters) -> <#memo as #views>::Viewed
        where
            // The compiler checks a condition without parameters here, and one with a parameter where it is needed.
            for<'any> #memo: #views,
            #conditions
        {
            #ask
        }
    }
}
