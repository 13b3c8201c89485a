//! rkyv's derives, for a type with `#[derive(CacheValue)]`.
//!
//! They are macros, and a macro cannot call them. So a copy of the type is written beside it, under these derives and the
//! attribute `discard`, which removes the copy. What the derives have written then belongs to the type itself.
//!
//! They ask each field's type for rkyv's traits. A type that contains itself would ask itself, without an end. So only fields
//! that name type parameters are asked, and the bounds of all others are given once.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Fields, Visibility, parse_quote};

use super::arguments::Arguments;
use super::{Part, Value};

pub(super) fn write(value: &Value<'_>) -> TokenStream {
    let module = &value.module;
    let mut copy = value.item.clone();
    let rkyv = item_arguments(value);
    copy.attrs.clear();
    hide_from_lints(&mut copy.ident);
    let fields: Vec<_> = match &mut copy.data {
        Data::Struct(data) => data.fields.iter_mut().collect(),
        Data::Enum(data) => {
            for (variant, known) in data.variants.iter_mut().zip(&value.variants) {
                let rkyv = &known.rkyv;
                variant.attrs = vec![parse_quote!(#rkyv)];
                hide_from_lints(&mut variant.ident);
                // rkyv would store it as one byte. Without it, the variant's number is stored, which the shape tells.
                variant.discriminant = None;
            }
            data.variants.iter_mut().flat_map(|variant| &mut variant.fields).collect()
        }
        Data::Union(_) => Vec::new(),
    };
    for (field, part) in fields.into_iter().zip(value.parts()) {
        let rkyv = field_arguments(part, value);
        (field.attrs, field.ty) = (vec![parse_quote!(#rkyv)], part.type_or_error(value));
        if let Some(name) = &mut field.ident {
            hide_from_lints(name);
        }
    }
    let copy = quote! {
        #[derive(#module::rkyv::Archive, #module::rkyv::Serialize, #module::rkyv::Deserialize)]
        #rkyv
        #[#module::discard]
        #copy
    };
    if has_open_resolver(value) && !value.rkyv.has("as") { in_a_block(value, &copy) } else { copy }
}

/// A name in what the derives write is not the user's, who may have allowed it where it is.
fn hide_from_lints(name: &mut Ident) {
    name.set_span(Span::call_site().located_at(name.span()));
}

/// Whether the derives write a public type whose fields have names and no documentation. A crate may deny that.
fn has_open_resolver(value: &Value<'_>) -> bool {
    let has_names = value.variants.iter().any(|variant| matches!(variant.fields, Fields::Named(_)));
    matches!(value.item.data, Data::Enum(_)) && !matches!(value.item.vis, Visibility::Inherited) && has_names
}

/// Nothing in a block needs documentation. The archived type gets its name outside.
fn in_a_block(value: &Value<'_>, copy: &TokenStream) -> TokenStream {
    let (module, DeriveInput { vis, ident, generics, .. }) = (&value.module, value.item);
    let (_, arguments, _) = generics.split_for_impl();
    let archived = value.rkyv.get("archived").map(|given| given.clone().into_iter().last().into_token_stream());
    let archived = archived.unwrap_or_else(|| format_ident!("Archived{}", ident.unraw()).into_token_stream());
    let document = format!("An archived [`{ident}`]");
    let mut parameters = generics.clone();
    for parameter in parameters.type_params_mut() {
        parameter.bounds.clear();
    }
    let parameters = &parameters.params;
    quote! {
        #[allow(unreachable_pub)]
        const _: () = {
            #copy
        };
        #[doc = #document]
        #[allow(dead_code)]
        #vis type #archived<#parameters> = <#ident #arguments as #module::rkyv::Archive>::Archived;
    }
}

/// rkyv's arguments of the whole item.
fn item_arguments(value: &Value<'_>) -> Arguments {
    let (module, bounded) = (&value.module, &value.bounded());
    let rkyv = quote!(#module::rkyv);
    let mut arguments = value.rkyv.clone();
    arguments.add("crate", quote!(crate = #rkyv));
    let name = value.item.ident.unraw().to_string();
    if matches!(value.item.data, Data::Enum(_)) && (name == "Tag" || name.starts_with("Variant")) {
        // The derives write such types themselves.
        let archived = format_ident!("Archived{name}_");
        arguments.add("archived", quote!(archived = #archived));
    }
    arguments.add("archive_bounds", quote!(archive_bounds(#(#bounded: #rkyv::Archive),*)));
    let serialize = quote! {
        __S: #rkyv::ser::Writer + #rkyv::ser::Allocator + #rkyv::ser::Sharing,
        __S::Error: #rkyv::rancor::Source,
        #(#bounded: #rkyv::Serialize<__S>),*
    };
    arguments.add("serialize_bounds", quote!(serialize_bounds(#serialize)));
    let deserialize = quote! {
        __D: #rkyv::de::Pooling,
        __D::Error: #rkyv::rancor::Source,
        #(#rkyv::Archived<#bounded>: #rkyv::Deserialize<#bounded, __D>),*
    };
    arguments.add("deserialize_bounds", quote!(deserialize_bounds(#deserialize)));
    let check = quote! {
        __C: #rkyv::validation::ArchiveContext + #rkyv::validation::SharedContext,
        __C::Error: #rkyv::rancor::Source,
        #(#rkyv::Archived<#bounded>: #rkyv::bytecheck::CheckBytes<__C>),*
    };
    arguments.add_within("bytecheck", "bounds", &quote!(bounds(#check)));
    arguments
}

/// rkyv's arguments of a field.
fn field_arguments(part: &Part<'_>, value: &Value<'_>) -> Arguments {
    let module = &value.module;
    let mut arguments = part.rkyv.clone();
    if part.is_whole() {
        arguments.add("with", quote!(with = #module::Whole));
    }
    if !part.is_generic || part.is_recursive {
        arguments.add("omit_bounds", quote!(omit_bounds));
    }
    arguments
}
