//! The fields of a type with `#[derive(CacheValue)]`.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::Parse;
use syn::spanned::Spanned as _;
use syn::visit::Visit;
use syn::{
    DeriveInput, Field, GenericParam, Ident, Lifetime, LitStr, Member, Path, PathSegment, Result, Type, TypeBareFn,
    TypeReference,
};

use super::arguments::Arguments;
use super::{Value, option, word};
use crate::fingerprint::fingerprint;

/// A field.
pub(super) struct Part<'a> {
    pub(super) member: Member,
    pub(super) r#type: &'a Type,
    pub(super) rkyv: Arguments,
    /// The shape that the user gives it.
    opaque: Option<LitStr>,
    /// It names parameters of the item.
    pub(super) is_generic: bool,
    /// It names the item, so bounds on it would ask for themselves.
    pub(super) is_recursive: bool,
}

impl<'a> Part<'a> {
    pub(super) fn parse(item: &DeriveInput, field: &'a Field, member: Member) -> Result<Self> {
        let message = "a field has the option `opaque`, with a text that stands for its type: `opaque = \"v1\"`";
        let opaque = option(&field.attrs, "opaque", message, <LitStr as Parse>::parse)?;
        let rkyv = Arguments::parse(&field.attrs)?;
        let parameters = item.generics.params.iter().filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(parameter) => Some(&parameter.ident),
            GenericParam::Lifetime(_) => None,
        });
        let is_generic = names(&field.ty, &parameters.collect::<Vec<_>>());
        let is_recursive = rkyv.has("omit_bounds") || names(&field.ty, &[&item.ident]);
        Ok(Part { member, r#type: &field.ty, rkyv, opaque, is_generic, is_recursive })
    }

    /// It is a number of which rkyv stores 32 bits, unless it is told to store 64.
    pub(super) fn is_whole(&self) -> bool {
        !self.rkyv.has("with") && last(self.r#type).is_some_and(|last| last.ident == "usize" || last.ident == "isize")
    }

    /// Whether its type says what its shape is, and whether a value fits.
    pub(super) fn is_asked(&self) -> bool {
        self.opaque.is_none() && !self.rkyv.has("with") && !self.is_whole()
    }

    /// What fails to compile, with the only error, if the type cannot be kept.
    pub(super) fn check(&self, module: &Path) -> Option<TokenStream> {
        // An error is shown at the type. But this is not the user's code, so it must not cause a warning.
        let (r#type, span) = (self.r#type, Span::call_site().located_at(self.r#type.span()));
        let question = if self.is_asked() { quote!(is_value) } else { quote!(is_archived) };
        self.is_checked().then(|| quote_spanned!(span=> #module::#question::<#r#type>()))
    }

    fn is_checked(&self) -> bool {
        !self.is_generic && !self.is_whole() && !self.rkyv.has("with")
    }

    /// The type. If it cannot be kept, it is an error that is told already.
    pub(super) fn type_or_error(&self, value: &Value<'_>) -> Type {
        let (r#type, module, check) = (self.r#type, &value.module, &value.check);
        if self.is_checked() {
            syn::parse_quote!(<#r#type as #module::Checked<{ #check }>>::Type)
        } else {
            r#type.clone()
        }
    }

    pub(super) fn describe(&self, value: &Value<'_>) -> TokenStream {
        let (module, r#type) = (&value.module, self.type_or_error(value));
        let name = match &self.member {
            Member::Named(name) => word(&format!("{}:", name.unraw())),
            Member::Unnamed(_) => TokenStream::new(),
        };
        let opaque = self.opaque.as_ref().map(|opaque| word(&format!("{:?}", opaque.value())));
        let shape = if self.is_whole() {
            word(&format!("whole {}", last(self.r#type).map_or_else(String::new, |last| last.ident.to_string())))
        } else if let Some(with) = self.rkyv.get("with") {
            let with = word(&format!("with {:x} ", fingerprint(quote!(#with #r#type))));
            let ask = opaque.is_none().then(|| {
                quote! {{
                    use #module::AskNothing as _;
                    #module::Ask::<#r#type>::NEW.describe(shape);
                }}
            });
            quote!(#with #ask)
        } else if opaque.is_none() {
            quote!(shape.part::<#r#type>();)
        } else {
            TokenStream::new()
        };
        let end = word(",");
        quote!(#name #opaque #shape #end)
    }

    /// A part of the type that is borrowed.
    pub(super) fn borrow(&self) -> Option<TokenStream> {
        struct Find(Option<TokenStream>);
        impl Visit<'_> for Find {
            fn visit_type_reference(&mut self, reference: &TypeReference) {
                self.0.get_or_insert_with(|| reference.to_token_stream());
            }

            fn visit_lifetime(&mut self, lifetime: &Lifetime) {
                self.0.get_or_insert_with(|| lifetime.to_token_stream());
            }

            fn visit_path_segment(&mut self, segment: &PathSegment) {
                // There is nothing in it.
                if segment.ident != "PhantomData" {
                    syn::visit::visit_path_segment(self, segment);
                }
            }

            // The lifetimes in it are its own.
            fn visit_type_bare_fn(&mut self, _: &TypeBareFn) {}
        }
        let mut find = Find(None);
        if self.is_asked() {
            find.visit_type(self.r#type);
        }
        find.0
    }
}

/// The last segment of a type that is a path.
fn last(of: &Type) -> Option<&PathSegment> {
    match of {
        Type::Path(path) => path.path.segments.last(),
        // From a macro, or in parentheses.
        Type::Group(group) => last(&group.elem),
        Type::Paren(paren) => last(&paren.elem),
        _ => None,
    }
}

/// Whether one of these names is in a type.
fn names(of: &Type, one: &[&Ident]) -> bool {
    fn any(tokens: TokenStream, one: &[&Ident]) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(name) => one.contains(&&name),
            TokenTree::Group(group) => any(group.stream(), one),
            _ => false,
        })
    }
    any(of.to_token_stream(), one)
}
