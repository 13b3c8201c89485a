//! The key of a call.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{Expr, Index, PatIdent, Type};

use crate::function::{Argument, Function, ours, peeled, referent};
use crate::options::Options;
use crate::types::Types;

/// A `Call` has at most this many parts.
const MAX_PARTS: usize = 12;

/// A key that is made of arguments, or a part of it.
pub(crate) enum Key {
    /// An argument: its type, and a reference to it.
    One(Box<Type>, TokenStream),
    Several(Vec<Self>),
}

impl Key {
    /// The key of a call, of all arguments that are not skipped. `refer` makes the reference to one.
    pub(crate) fn of(function: &Function, options: &Options, refer: impl Fn(&Argument) -> TokenStream) -> Self {
        let receiver = function.receiver_in_key(options).map(|receiver| {
            // As it was written: in code of another macro, there may be several `self`.
            let (itself, copy) = (receiver.self_token, ours(COPY));
            match referent(&receiver.ty) {
                Some(of) => Self::argument(of, quote!(#itself)),
                None => Self::argument(&receiver.ty, quote!(&#copy)),
            }
        });
        let arguments = function.arguments.iter().filter(|argument| argument.is_in_key);
        let arguments =
            arguments.map(|argument| Self::argument(argument.referent().unwrap_or(&argument.r#type), refer(argument)));
        Self::several(receiver.into_iter().chain(arguments).collect())
    }

    /// A tuple's elements are parts of their own, so that a path in it is compared by its bytes, whatever the other elements are.
    fn argument(of: &Type, reference: TokenStream) -> Self {
        match peeled(of) {
            Type::Tuple(tuple) if !tuple.elems.is_empty() => {
                let elements = tuple.elems.iter().enumerate().map(|(index, of)| {
                    let index = Index::from(index);
                    match referent(of) {
                        Some(of) => Self::argument(of, quote!((#reference).#index)),
                        None => Self::argument(of, quote!(&(#reference).#index)),
                    }
                });
                Self::several(elements.collect())
            }
            of => Self::One(Box::new(of.clone()), reference),
        }
    }

    /// If there are too many parts, the last one is made of those that are left.
    fn several(mut parts: Vec<Self>) -> Self {
        if parts.len() > MAX_PARTS {
            let rest = parts.split_off(MAX_PARTS - 1);
            parts.push(Self::several(rest));
        }
        Self::Several(parts)
    }

    /// The key for a lookup, which borrows.
    pub(crate) fn borrowed(&self) -> TokenStream {
        match self {
            Self::One(of, reference) => {
                // What is wrong with a type is said where it stands.
                let span = Span::mixed_site().located_at(of.span());
                quote_spanned!(span=> __is::<#of>().part(#reference))
            }
            Self::Several(parts) if parts.is_empty() => quote!(()),
            Self::Several(parts) => {
                let parts = parts.iter().map(Self::borrowed);
                quote!(__cache::Call((#(#parts,)*)))
            }
        }
    }

    /// The type of the key of an entry, for arguments whose types have no parameters.
    pub(crate) fn owned(&self, types: &Types) -> TokenStream {
        match self {
            Self::One(of, _) => {
                let (cache, exact, args) = (&types.cache, types.answer(of, "EXACT"), types.answer(of, "ARGS"));
                quote!(<#of as #cache::Kept<#exact, #args>>::Owned)
            }
            // A `Call` of one part is owned as that part is.
            Self::Several(parts) if parts.len() == 1 => parts.iter().map(|part| part.owned(types)).collect(),
            Self::Several(parts) => {
                let parts = parts.iter().map(|part| part.owned(types));
                quote!((#(#parts,)*))
            }
        }
    }
}

/// The key that the option `key` gives: what the parts of this expression hash. The body may need what they name, so all of
/// it is only referred to.
pub(crate) fn given(function: &Function, key: &Expr) -> TokenStream {
    // The arguments have names of ours where the source has patterns, so these are taken apart here as well.
    let patterns = function.arguments.iter().filter(|argument| !argument.has_name() && names(key, argument));
    let patterns = patterns.map(|argument| {
        let (mut pattern, reference) = (argument.pattern.clone(), argument.by_reference());
        ByReference.visit_pat_mut(&mut pattern);
        // The key need not use all that it names.
        quote!(#[allow(unused_variables)] let #pattern = #reference;)
    });
    let (recorder, records) = (ours("recorder"), record(key));
    quote!({
        #(#patterns)*
        let mut #recorder = __cache::Recorded::default();
        #records
        #recorder
    })
}

/// Whether a key that is given uses an argument.
pub(crate) fn names(key: &Expr, argument: &Argument) -> bool {
    /// Text may name an argument as well: `format!("{n}")`.
    fn occurs(name: &str, tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Group(group) => occurs(name, group.stream()),
            TokenTree::Ident(word) => word == name,
            TokenTree::Literal(literal) => literal.to_string().contains(name),
            TokenTree::Punct(_) => false,
        })
    }
    struct Find(bool, TokenStream);
    impl Visit<'_> for Find {
        fn visit_pat_ident(&mut self, named: &PatIdent) {
            self.0 |= occurs(&named.ident.to_string(), self.1.clone());
            syn::visit::visit_pat_ident(self, named);
        }
    }
    let mut find = Find(false, key.to_token_stream());
    find.visit_pat(&argument.pattern);
    find.0
}

fn record(key: &Expr) -> TokenStream {
    match key {
        Expr::Tuple(tuple) => tuple.elems.iter().map(record).collect(),
        Expr::Paren(paren) => record(&paren.expr),
        Expr::Group(group) => record(&group.expr),
        other => {
            let (part, recorder) = (ours("part"), ours("recorder"));
            // Without parentheses, `&` would take only the first part of it.
            quote! {
                #[allow(unused_parens, clippy::all, clippy::pedantic)]
                match &(#other) {
                    #part => __cache::probe_of(#part).record(#part, &mut #recorder),
                }
            }
        }
    }
}

/// Makes a pattern one that takes a value apart and leaves it where it is.
struct ByReference;

impl VisitMut for ByReference {
    fn visit_pat_ident_mut(&mut self, named: &mut PatIdent) {
        (named.mutability, named.by_ref) = (None, None);
        syn::visit_mut::visit_pat_ident_mut(self, named);
    }
}

const COPY: &str = "copy_of_self";

/// Makes a copy of `self` for the key, if the body takes `self` itself.
pub(crate) fn copy_of_self(function: &Function, options: &Options) -> Option<TokenStream> {
    let receiver = function.receiver_in_key(options).filter(|receiver| referent(&receiver.ty).is_none())?;
    let (copy, itself) = (ours(COPY), receiver.self_token);
    Some(quote!(let #copy = ::core::clone::Clone::clone(&#itself);))
}
