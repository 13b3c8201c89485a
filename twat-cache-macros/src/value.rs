//! `#[derive(CacheValue)]`: rkyv's derives, and the shape.

mod archive;
mod arguments;
mod part;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::visit_mut::VisitMut;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Ident, Path, Result, Token, Type, WherePredicate, parse_quote};

use crate::fingerprint::fingerprint;
use crate::refuse::Errors;
use arguments::Arguments;
use part::Part;

pub(crate) fn derive(item: TokenStream) -> Result<TokenStream> {
    let mut item: DeriveInput = syn::parse2(item)?;
    // In what rkyv's derives write, `Self` is another type.
    let (name, (_, generics, _)) = (&item.ident, item.generics.split_for_impl());
    NoSelf(parse_quote!(#name #generics)).visit_derive_input_mut(&mut item);
    let value = Value::parse(&item)?;
    let (check, archive, implementation) = (value.check(), archive::write(&value), value.implement());
    Ok(quote!(#check #archive #implementation))
}

/// A type with the derive.
struct Value<'a> {
    item: &'a DeriveInput,
    /// Its `#[rkyv(…)]` attributes.
    rkyv: Arguments,
    variants: Vec<Variant<'a>>,
    /// The module that has what the code needs.
    module: Path,
    /// The name of a constant, which is an error if not all fields can be kept.
    check: Ident,
}

/// A variant of an enum, or the fields of a struct.
struct Variant<'a> {
    /// None for a struct.
    name: Option<&'a Ident>,
    rkyv: Arguments,
    fields: &'a Fields,
    parts: Vec<Part<'a>>,
}

impl<'a> Value<'a> {
    fn parse(item: &'a DeriveInput) -> Result<Self> {
        let message = "a type has the option `crate`, with a path without quotes: `crate = twat_cache_disk`";
        let krate = option(&item.attrs, "crate", message, Path::parse_mod_style)?;
        let mut module = krate.unwrap_or_else(|| parse_quote!(::twat_cache));
        module.segments.push(parse_quote!(__value_0_1));
        let variant = |name, attributes, fields| Variant::parse(item, name, attributes, fields);
        let variants = match &item.data {
            Data::Struct(data) => vec![variant(None, &[][..], &data.fields)?],
            Data::Enum(data) => {
                let variants = data.variants.iter().map(|it| variant(Some(&it.ident), &it.attrs, &it.fields));
                variants.collect::<Result<_>>()?
            }
            Data::Union(_) => Vec::new(),
        };
        let check = format_ident!("__{}_CAN_BE_KEPT", item.ident.unraw());
        let value = Self { item, rkyv: Arguments::parse(&item.attrs)?, variants, module, check };
        value.refuse().map_or(Ok(value), Err)
    }

    /// What cannot be kept, by how it is written.
    fn refuse(&self) -> Option<Error> {
        let mut errors = Errors::default();
        match &self.item.data {
            Data::Union(data) => {
                errors.add(data.union_token, "nothing tells which field of a union is set; use an enum");
            }
            Data::Enum(data) if data.variants.is_empty() => {
                errors.add(&self.item.ident, "an enum without variants has no values to keep");
            }
            _ => {}
        }
        let borrow = "a borrow cannot be read from a disk; own the value, as in `String` for `&str`";
        self.item.generics.lifetimes().for_each(|parameter| errors.add(&parameter.lifetime, borrow));
        self.parts().for_each(|part| errors.add(part.borrow(), borrow));
        errors.add(self.rkyv.get("remote"), "this is for rkyv's own derives; use them for that type");
        errors.0
    }

    fn parts(&self) -> impl Iterator<Item = &Part<'a>> {
        self.variants.iter().flat_map(|variant| &variant.parts)
    }

    /// The type parameters that need bounds of their own, because some field cannot have them.
    fn bounded(&self) -> Vec<&'a Ident> {
        let needs_them = self.parts().any(|part| part.is_generic && part.is_recursive);
        self.item.generics.type_params().map(|parameter| &parameter.ident).filter(|_| needs_them).collect()
    }

    /// The constant that is an error if a field cannot be kept. It cannot tell that of types with parameters.
    fn check(&self) -> TokenStream {
        let (name, checks) = (&self.check, self.parts().filter_map(|part| part.check(&self.module)));
        quote! {
            #[allow(dead_code, deprecated, non_upper_case_globals)]
            const #name: bool = true #(&& #checks)*;
        }
    }

    fn implement(&self) -> TokenStream {
        let Self { item, module, .. } = self;
        let name = &item.ident;
        let mut generics = item.generics.clone();
        let bounded = self.bounded().into_iter().map(ToTokens::to_token_stream);
        let generic = self.parts().filter(|part| part.is_asked() && part.is_generic && !part.is_recursive);
        let bounds = bounded.chain(generic.map(|part| part.r#type.to_token_stream()));
        let bounds = bounds.map(|it| -> WherePredicate { parse_quote!(#it: #module::CacheValue) });
        let lasting = item.generics.type_params().map(|parameter| &parameter.ident);
        let lasting = lasting.map(|it| -> WherePredicate { parse_quote!(#it: 'static) });
        generics.make_where_clause().predicates.extend(bounds.chain(lasting));
        let (generics, _, conditions) = generics.split_for_impl();
        let (_, arguments, _) = item.generics.split_for_impl();
        let (describe, fits) = (self.describe(), self.fits());
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            impl #generics #module::CacheValue for #name #arguments #conditions {
                fn describe(shape: &mut #module::Shape) {
                    #describe
                }

                #fits
            }
        }
    }

    fn describe(&self) -> TokenStream {
        let name = self.item.ident.unraw();
        let constants = self.item.generics.const_params().map(|parameter| &parameter.ident);
        let constants = quote!(#(shape.word(&::std::format!("<{}>", #constants));)*);
        let form = self.rkyv.get("as").map(|form| word(&format!(" as {:x}", fingerprint(form.clone()))));
        let variants = self.variants.iter().map(|variant| variant.describe(self));
        if let Data::Enum(_) = self.item.data {
            let (head, begin, end) = (word(&format!("enum {name}")), word("{"), word("}"));
            quote!(#head #constants #form #begin #(#variants)* #end)
        } else {
            let head = word(&format!("struct {name}"));
            quote!(#head #constants #form #(#variants)*)
        }
    }

    /// By default, a value fits.
    fn fits(&self) -> Option<TokenStream> {
        let arms = self.variants.iter().map(|variant| variant.fits(self));
        self.parts().any(Part::is_asked).then(|| {
            quote! {
                fn fits(&self) -> bool {
                    match self {
                        #(#arms)*
                    }
                }
            }
        })
    }
}

impl<'a> Variant<'a> {
    fn parse(
        item: &'a DeriveInput,
        name: Option<&'a Ident>,
        attributes: &[Attribute],
        fields: &'a Fields,
    ) -> Result<Self> {
        let parts = fields.iter().zip(fields.members()).map(|(field, member)| Part::parse(item, field, member));
        Ok(Self { name, rkyv: Arguments::parse(attributes)?, fields, parts: parts.collect::<Result<_>>()? })
    }

    fn describe(&self, value: &Value<'_>) -> TokenStream {
        let name = self.name.map(|name| word(&name.unraw().to_string()));
        let (begin, end) = match self.fields {
            Fields::Named(_) => ("{", "}"),
            Fields::Unnamed(_) => ("(", ")"),
            Fields::Unit => ("", ""),
        };
        let separator = if self.name.is_some() { "," } else { "" };
        let (begin, end) = (word(begin), word(&format!("{end}{separator}")));
        let parts = self.parts.iter().map(|part| part.describe(value));
        quote!(#name #begin #(#parts)* #end)
    }

    fn fits(&self, value: &Value<'_>) -> TokenStream {
        let pattern = self.name.map_or_else(|| quote!(Self), |name| quote!(Self::#name));
        let asked = self.parts.iter().enumerate().filter(|(_, part)| part.is_asked());
        let asked = asked.map(|(n, part)| (format_ident!("field_{n}"), part));
        let (mut bindings, mut answers) = (TokenStream::new(), quote!(true));
        for (field, part) in asked {
            let (member, module, r#type) = (&part.member, &value.module, part.type_or_error(value));
            bindings.extend(quote!(#member: #field,));
            answers.extend(quote!(&& <#r#type as #module::CacheValue>::fits(#field)));
        }
        quote!(#pattern { #bindings .. } => #answers,)
    }
}

/// The value of the option `name` of our own attribute, which has no other.
fn option<T>(
    attributes: &[Attribute],
    name: &str,
    message: &str,
    parse: impl Fn(ParseStream<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut value = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cache_value")) {
        attribute.parse_nested_meta(|meta| {
            let is_known = meta.path.is_ident(name) && meta.input.parse::<Token![=]>().is_ok();
            let parsed = if is_known { parse(meta.input) } else { Err(meta.error(message)) };
            value = Some(parsed.map_err(|error| Error::new(error.span(), message))?);
            Ok(())
        })?;
    }
    Ok(value)
}

/// Code that adds a word to a shape.
fn word(word: &str) -> TokenStream {
    if word.is_empty() { TokenStream::new() } else { quote!(shape.word(#word);) }
}

/// Writes this type for `Self`.
struct NoSelf(Type);

impl VisitMut for NoSelf {
    fn visit_type_mut(&mut self, r#type: &mut Type) {
        if matches!(r#type, Type::Path(path) if path.path.is_ident("Self")) {
            r#type.clone_from(&self.0);
        } else {
            syn::visit_mut::visit_type_mut(self, r#type);
        }
    }
}
