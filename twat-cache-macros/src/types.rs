//! The types of a memo whose key and value have no parameters.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::Type;

use crate::function::Function;
use crate::key::Key;
use crate::options::{Options, Wrapper};

/// How types are written.
pub(crate) struct Types {
    /// The path of what the written code is made of.
    pub(crate) cache: TokenStream,
    /// Imports what asks about types, where nothing else does.
    import: TokenStream,
}

impl Types {
    /// After the import of `expand::import`.
    pub(crate) fn imported() -> Self {
        Self { cache: quote!(__cache), import: TokenStream::new() }
    }

    /// Where nothing can be imported: in a signature.
    pub(crate) fn anywhere(options: &Options) -> Self {
        let krate = &options.krate;
        let cache = quote!(#krate::__private_0_1);
        Self { import: quote!(use #cache::by_type::*;), cache }
    }

    /// The answer of this name about a type, as a constant argument.
    pub(crate) fn answer(&self, of: &impl ToTokens, name: &str) -> TokenStream {
        let (import, name) = (&self.import, format_ident!("{name}"));
        quote!({ #import __Is::<#of>::#name })
    }

    /// The type of an entry's key.
    pub(crate) fn key(&self, function: &Function, options: &Options) -> TokenStream {
        let cache = &self.cache;
        if options.key.is_some() {
            return quote!(#cache::Recorded);
        }
        Key::of(function, options, |argument| argument.name.to_token_stream()).owned(self)
    }

    /// The type of the values that are stored of this result.
    pub(crate) fn value(&self, output: &Type) -> TokenStream {
        let (cache, result) = (&self.cache, self.answer(output, "RESULT"));
        quote!(<#output as #cache::Outcome<#result>>::Value)
    }

    /// The type of the codec, if the type of the store tells it.
    pub(crate) fn codec(&self, options: &Options, value: &TokenStream) -> Option<TokenStream> {
        if !matches!(options.wrapper, Wrapper::File | Wrapper::Unified) {
            return None;
        }
        let (cache, own, serde) = (&self.cache, self.answer(value, "CACHE_VALUE"), self.answer(value, "SERDE"));
        let own = if options.serde { quote!(false) } else { own };
        Some(quote!(<#value as #cache::Encoded<#own, #serde>>::Codec))
    }

    /// The type of the store.
    pub(crate) fn store(
        &self,
        options: &Options,
        key: &TokenStream,
        value: &TokenStream,
        codec: &TokenStream,
    ) -> TokenStream {
        let cache = &self.cache;
        let store = match options.wrapper {
            Wrapper::Memory => quote!(#cache::MemStore<#key, #value>),
            Wrapper::Disk => quote!(#cache::DiskFallback<#value>),
            Wrapper::Shared => quote!(#cache::SharedFallback<#value>),
            Wrapper::File => quote!(#cache::FileFallback<#value, #codec>),
            Wrapper::Remote if options.sets("near") => quote!(#cache::NearStore<#key, #value>),
            Wrapper::Remote => quote!(#cache::Standby<#value>),
            Wrapper::Unified => quote!(#cache::UnifiedStore<#key, #value, #codec>),
        };
        options.rules.iter().fold(store, |store, _| quote!(#cache::Ruled<#store>))
    }
}
