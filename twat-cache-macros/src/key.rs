//! What a call is known by: its arguments, as they are compared and kept.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit_mut::VisitMut;
use syn::{Expr, Type, parse_quote};

use crate::function::{Argument, Function};
use crate::options::{Options, ours};

/// What it takes to know a call again.
pub(crate) struct Key {
    /// Statements that make the key of the arguments at hand.
    pub(crate) make: TokenStream,
    /// A reference to it.
    pub(crate) reference: TokenStream,
    /// The type of what is kept.
    pub(crate) owned: TokenStream,
}

/// A call's arguments are grouped by so many.
const AT_ONCE: usize = 12;

impl Key {
    pub(crate) fn of(function: &Function, options: &Options, private: &TokenStream) -> Self {
        match &options.key {
            Some(key) => Self::given(function, key, private),
            None => Self::of_arguments(function, options, private),
        }
    }

    /// As `key` says.
    fn given(function: &Function, key: &Expr, private: &TokenStream) -> Self {
        let name = ours("key");
        // The names in a pattern are not those of the arguments, so it is taken apart here, too.
        let parts = function.arguments.iter().filter(|argument| !argument.is_plain());
        let parts = parts.map(|Argument { pattern, name, referent, .. }| {
            let mut pattern = pattern.clone();
            ByReference.visit_pat_mut(&mut pattern);
            if referent.is_some() { quote!(let #pattern = #name;) } else { quote!(let #pattern = &#name;) }
        });
        let borrowed = borrowed(key);
        let make = quote! {
            #[allow(unused_variables, unused_parens, clippy::all, clippy::pedantic)]
            let #name = { #(#parts)* #private::Recorded::of(#borrowed) };
        };
        Self { make, reference: quote!(&#name), owned: quote!(#private::Recorded) }
    }

    /// Of all arguments that are not skipped.
    fn of_arguments(function: &Function, options: &Options, private: &TokenStream) -> Self {
        let mut make = TokenStream::new();
        let mut names = Vec::new();
        let mut types = Vec::new();
        if let Some(receiver) = function.receiver.as_ref()
            && !options.skip.iter().any(|skipped| skipped == "self")
        {
            let part = ours("part_self");
            // As it was written: of another macro's `self` there may be several.
            let itself = receiver.self_token;
            let is_reference = receiver.reference.is_some() || matches!(&*receiver.ty, Type::Reference(_));
            let of: Type = match (&receiver.colon_token, &*receiver.ty) {
                (Some(_), Type::Reference(reference)) => (*reference.elem).clone(),
                (Some(_), of) => of.clone(),
                (None, _) => parse_quote!(Self),
            };
            if is_reference {
                make.extend(quote!(let #part = <#of as #private::Part<true>>::part(#itself);));
            } else {
                // The body takes `self` itself, while the key is still needed.
                let copy = ours("copy_of_self");
                make.extend(quote! {
                    #[allow(clippy::all, clippy::pedantic)]
                    let #copy = ::core::clone::Clone::clone(&#itself);
                    let #part = <#of as #private::Part<true>>::part(&#copy);
                });
            }
            names.push(part);
            types.push(quote!(<#of as #private::Part<true>>::Owned));
        }
        for (index, argument) in function.arguments.iter().enumerate().filter(|(_, argument)| argument.is_in_key) {
            let Argument { name, r#type, referent, .. } = argument;
            let part = ours(&format!("part_{index}"));
            let of = referent.as_ref().unwrap_or(r#type);
            // What is wrong with a type is said where it stands.
            let span = Span::mixed_site().located_at(of.span());
            let as_part = quote_spanned! {span=>
                <#of as #private::Part<{
                    // Only where it is none.
                    #[allow(unused_imports)]
                    use #private::NoArgs as _;
                    #private::Probe::<#of>::IS_ARGS
                }>>
            };
            let borrowed = if referent.is_some() { quote!(#name) } else { quote!(&#name) };
            make.extend(quote_spanned!(span=> let #part = #as_part::part(#borrowed);));
            names.push(part);
            types.push(quote!(#as_part::Owned));
        }
        let parts = names.iter().zip(&types).map(|(name, of)| (quote!(&#name), of.clone())).collect();
        let (reference, owned) = group(parts, private);
        Self { make, reference: quote!(&#reference), owned }
    }
}

/// What `key` says, with all that it names left where it is: the body may need it.
fn borrowed(key: &Expr) -> TokenStream {
    match key {
        Expr::Tuple(tuple) => {
            let parts = tuple.elems.iter().map(borrowed);
            quote!(&(#(#parts,)*))
        }
        Expr::Paren(paren) => borrowed(&paren.expr),
        // In parentheses, or `&` would take only the first part of it.
        other => quote!(&(#other)),
    }
}

/// Makes a pattern one that takes a value apart and leaves it where it is.
struct ByReference;

impl VisitMut for ByReference {
    fn visit_pat_ident_mut(&mut self, named: &mut syn::PatIdent) {
        (named.mutability, named.by_ref) = (None, None);
        syn::visit_mut::visit_pat_ident_mut(self, named);
    }
}

/// So many parts as one key. What does not fit is a part by itself.
fn group(mut parts: Vec<(TokenStream, TokenStream)>, private: &TokenStream) -> (TokenStream, TokenStream) {
    if parts.is_empty() {
        return (quote!(()), quote!(()));
    }
    if parts.len() > AT_ONCE {
        let (reference, owned) = group(parts.split_off(AT_ONCE - 1), private);
        parts.push((quote!(&#reference), owned));
    }
    let (references, types): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    (quote!(#private::Call((#(#references,)*))), quote!((#(#types,)*)))
}
