//! What a call is known by: its arguments, as they are compared and kept.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit_mut::VisitMut;
use syn::{Expr, Receiver, Type};

use crate::function::{Argument, Function, peeled};
use crate::options::{Options, ours};

/// A group has at most this many parts.
const AT_ONCE: usize = 12;

/// A key, or a part of one.
pub(crate) enum Key {
    /// What the option `key` says.
    Given(TokenStream),
    /// An argument: its type, and a reference to it.
    One(Box<Type>, TokenStream),
    /// Several.
    Group(Vec<Self>),
}

impl Key {
    /// The key of a call whose arguments are at hand, those that are owned perhaps `by_reference`.
    pub(crate) fn of(function: &Function, options: &Options, private: &TokenStream, by_reference: bool) -> Self {
        if let Some(key) = &options.key {
            return Self::given(function, key, private);
        }
        let receiver = receiver_in_key(function, options);
        let arguments = function.arguments.iter().filter(|argument| argument.is_in_key);
        let arguments = arguments.map(|Argument { name, r#type, referent, .. }| match referent {
            Some(referent) => Self::argument(referent, quote!(#name)),
            None if by_reference => Self::argument(r#type, quote!(#name)),
            None => Self::argument(r#type, quote!(&#name)),
        });
        Self::group(receiver.map(Self::receiver).into_iter().chain(arguments).collect())
    }

    fn given(function: &Function, key: &Expr, private: &TokenStream) -> Self {
        // The names in a pattern are not those of the arguments, so it is taken apart here, too.
        let parts = function.arguments.iter().filter(|argument| !argument.is_plain());
        let parts = parts.map(|Argument { pattern, name, referent, .. }| {
            let mut pattern = pattern.clone();
            ByReference.visit_pat_mut(&mut pattern);
            if referent.is_some() { quote!(let #pattern = #name;) } else { quote!(let #pattern = &#name;) }
        });
        let (recorder, records) = (ours("recorder"), record(key, private));
        Self::Given(quote!({
            #(#parts)*
            let mut #recorder = #private::Recorder::default();
            #records
            #recorder.finished()
        }))
    }

    fn receiver(receiver: &Receiver) -> Self {
        // As it was written: of another macro's `self` there may be several.
        let (itself, copy) = (receiver.self_token, ours(COPY));
        match &*receiver.ty {
            Type::Reference(reference) => Self::argument(&reference.elem, quote!(#itself)),
            of => Self::argument(of, quote!(&#copy)),
        }
    }

    /// A tuple's elements are parts by themselves: a path is told apart to the last bit also beside a type of the user's.
    fn argument(of: &Type, reference: TokenStream) -> Self {
        match peeled(of) {
            Type::Tuple(tuple) if !tuple.elems.is_empty() => {
                let elements = tuple.elems.iter().enumerate().map(|(index, of)| {
                    let index = syn::Index::from(index);
                    match peeled(of) {
                        Type::Reference(of) => Self::argument(&of.elem, quote!((#reference).#index)),
                        of => Self::argument(of, quote!(&(#reference).#index)),
                    }
                });
                Self::group(elements.collect())
            }
            of => Self::One(Box::new(of.clone()), reference),
        }
    }

    /// Several parts as one. What does not fit is a group by itself, and the last part.
    fn group(mut parts: Vec<Self>) -> Self {
        if parts.len() > AT_ONCE {
            let rest = parts.split_off(AT_ONCE - 1);
            parts.push(Self::group(rest));
        }
        Self::Group(parts)
    }

    /// The key itself.
    pub(crate) fn value(&self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Given(key) => key.clone(),
            Self::One(of, reference) => {
                // What is wrong with a type is said where it stands.
                let span = Span::mixed_site().located_at(of.span());
                quote_spanned!(span=> __is::<#of>().part(#reference))
            }
            Self::Group(parts) if parts.is_empty() => quote!(()),
            Self::Group(parts) => {
                let parts = parts.iter().map(|part| part.value(private));
                quote!(#private::Call((#(#parts,)*)))
            }
        }
    }

    /// The type of what is kept, of arguments whose types have no parameters.
    pub(crate) fn owned(&self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Given(_) => quote!(#private::Recorded),
            Self::One(of, _) => {
                quote!(<#of as #private::Kept<{ __Is::<#of>::EXACT }, { __Is::<#of>::ARGS }>>::Owned)
            }
            Self::Group(parts) => {
                let parts = parts.iter().map(|part| part.owned(private));
                quote!((#(#parts,)*))
            }
        }
    }
}

/// A copy of `self` that the key is made of, if the body takes `self` itself.
pub(crate) fn copy_of_self(function: &Function, options: &Options, private: &TokenStream) -> Option<TokenStream> {
    let receiver = receiver_in_key(function, options).filter(|receiver| !is_borrowed(receiver))?;
    let (copy, itself) = (ours(COPY), receiver.self_token);
    Some(quote!(let #copy = #private::clone(&#itself);))
}

const COPY: &str = "copy_of_self";

fn receiver_in_key<'a>(function: &'a Function, options: &Options) -> Option<&'a Receiver> {
    function.receiver.as_ref().filter(|_| !options.skip.iter().any(|skipped| skipped == "self"))
}

fn is_borrowed(receiver: &Receiver) -> bool {
    matches!(&*receiver.ty, Type::Reference(_))
}

/// Records what `key` says, with all that it names left where it is: the body may need it.
fn record(key: &Expr, private: &TokenStream) -> TokenStream {
    match key {
        Expr::Tuple(tuple) => tuple.elems.iter().map(|part| record(part, private)).collect(),
        Expr::Paren(paren) => record(&paren.expr, private),
        Expr::Group(group) => record(&group.expr, private),
        other => {
            let (part, recorder) = (ours("part"), ours("recorder"));
            // In parentheses, or `&` would take only the first part of it.
            quote!(match &(#other) { #part => #private::probe_of(#part).record(#part, &mut #recorder) };)
        }
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
