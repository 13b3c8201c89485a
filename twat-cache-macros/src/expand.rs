//! What is written in place of the function.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned as _;

use crate::function::{Argument, Function};
use crate::key::Key;
use crate::options::{Options, Wrapper, fingerprint};

/// What the written code is made of.
pub(crate) struct Parts<'a> {
    pub(crate) function: &'a Function,
    pub(crate) options: &'a Options,
    /// Where the facade keeps what this code is made of.
    pub(crate) private: TokenStream,
    pub(crate) key: Key,
    /// The return type, as what says which part of it is remembered.
    pub(crate) outcome: TokenStream,
    /// The type of what is remembered.
    pub(crate) value: TokenStream,
}

/// The function, remembered.
pub(crate) fn expand(function: &Function, options: &Options, stands_in_impl: bool) -> TokenStream {
    let krate = &options.krate;
    let private = quote!(#krate::__private);
    let output = &function.output;
    let outcome = quote! {
        <#output as #private::Outcome<{
            // Only where it is none.
            #[allow(unused_imports)]
            use #private::NoResult as _;
            #private::Probe::<#output>::IS_RESULT
        }>>
    };
    let key = Key::of(function, options, &private);
    let value = quote!(#outcome::Value);
    let parts = Parts { function, options, private, key, outcome, value };
    if stands_in_impl { parts.method() } else { parts.free() }
}

impl Parts<'_> {
    pub(crate) fn is_async(&self) -> bool {
        self.function.signature.asyncness.is_some()
    }

    /// The type of the store.
    pub(crate) fn store(&self) -> TokenStream {
        let Self { private, value, key, .. } = self;
        let owned = &key.owned;
        match self.options.wrapper {
            Wrapper::Memory => quote!(#private::MemStore<#owned, #value>),
            Wrapper::Disk => quote!(#private::DiskFallback<#value>),
            Wrapper::File => quote!(#private::FileFallback<#value>),
            Wrapper::Unified => quote!(#private::UnifiedStore<#owned, #value>),
        }
    }

    pub(crate) fn memo(&self) -> TokenStream {
        let (private, store) = (&self.private, self.store());
        quote!(#private::Memo<#store, ()>)
    }

    /// Makes the memo. `name` is what it is called if nobody has said.
    pub(crate) fn open(&self, name: &TokenStream) -> TokenStream {
        let Self { private, value, key, options, .. } = self;
        let wrapper = format_ident!("{}", options.wrapper.name());
        let settings = options.settings.iter().map(|(setting, value)| {
            let span = value.as_ref().map_or(setting.span(), syn::spanned::Spanned::span);
            quote_spanned!(span=> .#setting(#value))
        });
        let builder = if options.wrapper.is_persistent() {
            let name = options.name.as_ref().map_or_else(|| name.clone(), |name| quote!(#name));
            let version = options.version.as_ref().map_or_else(
                || {
                    let (signature, block) = (&self.function.signature, &self.function.block);
                    fingerprint(quote!(#signature #block)).to_token_stream()
                },
                |version| quote!(#version),
            );
            let meaning = fingerprint(options.key_tokens());
            quote!(#private::#wrapper(#name).version((#version, #meaning)))
        } else {
            quote!(#private::#wrapper())
        };
        let owned = &key.owned;
        // What the value lacks is said at the return type.
        let span = self.function.output.span();
        let open = match options.wrapper {
            Wrapper::Memory => quote_spanned!(span=> .open::<#owned, #value>()),
            Wrapper::Disk | Wrapper::File => quote_spanned!(span=> .with_memory::<#value>()),
            Wrapper::Unified => quote_spanned!(span=> .build::<#owned, #value>()),
        };
        quote!(#private::Memo::new(#builder #(#settings)* #open, ()))
    }

    /// Asks `memo` for the result, which `compute`, a call or a block, computes.
    pub(crate) fn ask(&self, memo: &TokenStream, method: &str, compute: &TokenStream) -> TokenStream {
        let make = &self.key.make;
        let ask = self.ask_with_key(memo, method, compute);
        quote!(#make #ask)
    }

    /// The same where the key is made.
    pub(crate) fn ask_with_key(&self, memo: &TokenStream, method: &str, compute: &TokenStream) -> TokenStream {
        let Self { outcome, key: Key { reference, .. }, .. } = self;
        let (method, call) = if self.is_async() {
            let method = format_ident!("{method}_async");
            (method, quote!((#reference, async || #outcome::into_result(#compute.await)).await))
        } else {
            (format_ident!("{method}"), quote!((#reference, || #outcome::into_result(#compute))))
        };
        quote!(#outcome::from_result(#memo.#method #call))
    }

    /// The package, and the program in it, if this is in one: it may have the name of the library.
    pub(crate) fn target(&self) -> TokenStream {
        let private = &self.private;
        quote!(#private::Target {
            package: ::core::option_env!("CARGO_PKG_NAME"),
            program: ::core::option_env!("CARGO_BIN_NAME"),
        })
    }

    /// The arguments by their names, as parameters.
    pub(crate) fn parameters(&self) -> TokenStream {
        let parameters = self
            .function
            .arguments
            .iter()
            .map(|Argument { attributes, name, r#type, .. }| quote!(#(#attributes)* #name: #r#type));
        quote!(#(#parameters),*)
    }

    /// An argument as the body gets it: what is in the key is needed after that.
    pub(crate) fn handed_over(argument: &Argument) -> TokenStream {
        let name = &argument.name;
        if argument.is_in_key && argument.referent.is_none() {
            quote!(::core::clone::Clone::clone(&#name))
        } else {
            quote!(#name)
        }
    }

    /// The return type, with its arrow if it was written.
    pub(crate) fn arrow(&self) -> TokenStream {
        let output = &self.function.output;
        match &self.function.signature.output {
            ReturnType::Default => TokenStream::new(),
            ReturnType::Type(..) => quote!(-> #output),
        }
    }
}
