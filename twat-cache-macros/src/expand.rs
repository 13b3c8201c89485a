//! What is written in place of the function.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned as _;

use crate::function::{Argument, Function};
use crate::key::Key;
use crate::options::{Options, Wrapper, fingerprint, ours};

/// What the written code is made of.
pub(crate) struct Parts<'a> {
    pub(crate) function: &'a Function,
    pub(crate) options: &'a Options,
    /// What this code is made of, by the name under which it is [imported](Self::import).
    pub(crate) private: TokenStream,
    /// What tells its persistent cache from others whose path may be the same.
    pub(crate) ordinal: usize,
}

/// The function, remembered.
pub(crate) fn expand(function: &Function, options: &Options, ordinal: usize) -> TokenStream {
    let parts = Parts { function, options, private: quote!(__cache), ordinal };
    if function.stands_in_impl { parts.method() } else { parts.free() }
}

impl Parts<'_> {
    /// Makes known what the written code is made of, and what it takes to ask about types.
    pub(crate) fn import(&self) -> TokenStream {
        let (krate, private) = (&self.options.krate, &self.private);
        quote!(use #krate::__private_0_1::{self as #private, by_type::*};)
    }

    /// Makes the memo. `name` is what it is called if nobody has said.
    pub(crate) fn open(&self, name: &TokenStream) -> TokenStream {
        let Self { private, options, .. } = self;
        let wrapper = format_ident!("{}", options.wrapper.name());
        let settings = options.settings.iter().map(|(setting, value)| {
            let span = value.as_ref().map_or(setting.span(), syn::spanned::Spanned::span);
            quote_spanned!(span=> .#setting(#value))
        });
        let builder = if options.wrapper.is_persistent() {
            let name = options.name.as_ref().map_or_else(|| name.clone(), |name| quote!(#name));
            let version = options
                .version
                .as_ref()
                .map_or_else(|| fingerprint(self.function.tokens()).to_token_stream(), |version| quote!(#version));
            let meaning = fingerprint(options.key_tokens());
            quote!(#private::#wrapper(#name).version((#version, #meaning)))
        } else {
            quote!(#private::#wrapper())
        };
        // What the value lacks is said at the return type.
        let span = self.function.output.span();
        let open = match options.wrapper {
            Wrapper::Memory => quote_spanned!(span=> .open()),
            Wrapper::Disk | Wrapper::File => quote_spanned!(span=> .with_memory()),
            Wrapper::Unified => quote_spanned!(span=> .build()),
        };
        let patience = options.patience.as_ref().map(|patience| quote_spanned!(patience.span()=> .patience(#patience)));
        quote!(#private::Memo::new(#builder #(#settings)* #open, ()) #patience)
    }

    /// The key of a call, made of its arguments, of those that are owned perhaps `by_reference`.
    pub(crate) fn key(&self, by_reference: bool) -> Key {
        Key::of(self.function, self.options, &self.private, by_reference)
    }

    /// Makes a key, for [`ask`](Self::ask).
    pub(crate) fn make(&self, key: &TokenStream) -> TokenStream {
        let name = ours("key");
        // What the user has written is not all used.
        let given = self.options.key.as_ref();
        let lints = given.map(|_| quote!(#[allow(unused_variables, unused_parens, clippy::all, clippy::pedantic)]));
        quote!(#lints let #name = #key;)
    }

    /// Asks `memo` for the result for the key, which `compute`, a call or a block, computes.
    pub(crate) fn ask(&self, memo: &TokenStream, method: &str, compute: &TokenStream) -> TokenStream {
        let function = self.function;
        let (output, outcome, key) = (&function.output, ours("outcome"), ours("key"));
        let sharing = method.ends_with("sharing").then(|| quote!(#outcome.sharing(),));
        let (method, wait) = if function.is_async() {
            (format!("{method}_async"), Some(quote!(.await)))
        } else {
            (method.to_owned(), None)
        };
        let (method, computing) = (format_ident!("{method}"), ours("compute"));
        let is_async = wait.as_ref().map(|_| quote!(async));
        quote! {
            let #outcome = __is::<#output>().outcome();
            let #computing = #is_async || #outcome.begin(#compute #wait);
            #outcome.end(#memo.#method(&#key, #sharing #computing)#wait)
        }
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
    pub(crate) fn handed_over(&self, argument: &Argument) -> TokenStream {
        let (name, private) = (&argument.name, &self.private);
        if argument.is_in_key && argument.referent.is_none() { quote!(#private::clone(&#name)) } else { quote!(#name) }
    }

    /// The return type, with its arrow if it was written.
    pub(crate) fn arrow(&self) -> TokenStream {
        let Function { output, future, signature, .. } = self.function;
        let output = future.as_ref().unwrap_or(output);
        match &signature.output {
            ReturnType::Default => TokenStream::new(),
            ReturnType::Type(..) => quote!(-> #output),
        }
    }
}
