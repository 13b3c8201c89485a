//! What the cache needs of the parameters of a generic function.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::visit::Visit;
use syn::{
    GenericArgument, GenericParam, Generics, Ident, PathArguments, TraitBoundModifier, Type, TypeParamBound, TypePath,
    WherePredicate, parse_quote,
};

use crate::function::{Function, peeled};
use crate::options::Options;

/// The generics of a function, with bounds for its parameters where they are in its key or in the value of its result.
pub(crate) fn bounded(function: &Function, options: &Options) -> Generics {
    let mut generics = function.signature.generics.clone();
    let names = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => Some(parameter.ident.clone()),
        _ => None,
    });
    let names: Vec<Ident> = names.collect();
    if names.is_empty() {
        return generics;
    }
    // By their text, because a parameter may occur several times.
    let mut predicates = BTreeMap::new();
    let mut bound = |of: Vec<Type>, bounds: TokenStream| {
        for one in of {
            let predicate = quote!(#one: #bounds);
            predicates.insert(predicate.to_string(), parse_quote!(#predicate));
        }
    };
    let krate = &options.krate;
    let of_parameters = generics.type_params().map(|one| (one.ident.to_token_stream(), &one.bounds));
    let stated = generics.where_clause.iter().flat_map(|clause| &clause.predicates).filter_map(|one| match one {
        WherePredicate::Type(one) => Some((one.bounded_ty.to_token_stream(), &one.bounds)),
        _ => None,
    });
    let without_size = of_parameters.chain(stated).filter(|(_, bounds)| bounds.iter().any(is_maybe));
    let without_size: Vec<String> = without_size.map(|(of, _)| of.to_string()).collect();
    for argument in function.arguments.iter().filter(|argument| argument.is_in_key) {
        let parts = found(&names, &argument.r#type).into_iter();
        let (references, parts) = parts.partition(|part| without_size.contains(&part.to_token_stream().to_string()));
        bound(references, quote!(#krate::Args + Send + Sync + 'static));
        bound(parts, quote!(::core::hash::Hash + ::core::cmp::Eq + ::core::clone::Clone + Send + Sync + 'static));
    }
    let of_value = found(&names, value(&function.output));
    if options.wrapper.is_persistent() {
        let storable = if options.serde { quote!(SerdeValue) } else { quote!(CacheValue) };
        bound(of_value.clone(), quote!(#krate::__private_0_1::#storable));
    }
    bound(of_value, quote!(::core::clone::Clone + Send + Sync + 'static));
    let predicates = predicates.into_values();
    generics.make_where_clause().predicates.extend::<Vec<WherePredicate>>(predicates.collect());
    generics
}

/// Whether a bound is `?Sized`.
fn is_maybe(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Trait(of) if matches!(of.modifier, TraitBoundModifier::Maybe(_)))
}

/// The type that is stored of a result, by how the result is written. An error is not stored, so it needs nothing.
fn value(output: &Type) -> &Type {
    let Type::Path(TypePath { qself: None, path }) = output else { return output };
    match path.segments.last().map(|last| (&last.arguments, last.ident.to_string().ends_with("Result"))) {
        Some((PathArguments::AngleBracketed(arguments), true)) => {
            let types = arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(of) => Some(peeled(of)),
                _ => None,
            });
            types.unwrap_or(output)
        }
        _ => output,
    }
}

/// The parameters in a type, and what belongs to them, such as `T::Item`.
fn found(names: &[Ident], of: &Type) -> Vec<Type> {
    struct Find<'a>(&'a [Ident], Vec<Type>);
    impl Visit<'_> for Find<'_> {
        fn visit_type_path(&mut self, path: &TypePath) {
            let is_parameter = path.path.segments.first().is_some_and(|first| self.0.contains(&first.ident));
            let is_one = (is_parameter && path.qself.is_none()) || {
                let mut inside = Find(self.0, Vec::new());
                path.qself.iter().for_each(|of| inside.visit_type(&of.ty));
                !inside.1.is_empty()
            };
            if is_one {
                self.1.push(Type::Path(path.clone()));
            } else {
                syn::visit::visit_type_path(self, path);
            }
        }
    }
    let mut find = Find(names, Vec::new());
    find.visit_type(of);
    find.1
}
