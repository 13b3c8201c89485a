//! What cannot be remembered, and what to do instead.

use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Attribute, Error, GenericParam, Pat, Receiver, Result, Signature, Token, Type};

use crate::function::{Argument, boxed_future};
use crate::options::{NAMES, Options};

/// What the companion of such a function would hide.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64",
];

/// The name of the type beside a function.
pub(crate) fn companion(options: &Options, name: &syn::Ident, stands_in_impl: bool, errors: &mut Errors) {
    if stands_in_impl {
        if let Some(companion) = &options.companion {
            errors.add(companion, "nothing can stand beside a method; decorate a free function, and call that from it");
        }
    } else if PRIMITIVES.iter().any(|primitive| name == primitive) {
        let message = "beside the function stands a type of this name, which would hide";
        errors.add(name, format!("{message} `{name}`; name that type otherwise: `companion = …`"));
    }
}

/// All that is wrong, to be said at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn add(&mut self, at: impl quote::ToTokens, message: impl std::fmt::Display) {
        let error = Error::new_spanned(at, message);
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Another of our attributes on the function.
pub(crate) fn others(attributes: &[Attribute], errors: &mut Errors) {
    let is_ours =
        |path: &syn::Path| path.segments.last().is_some_and(|last| NAMES.iter().any(|name| last.ident == name));
    for other in attributes.iter().filter(|attribute| is_ours(attribute.path())) {
        errors.add(other, "a function has one cache, and so one such attribute; `ucache` has memory and a disk");
    }
}

pub(crate) fn kinds(attribute: &str, signature: &Signature, errors: &mut Errors) {
    if let Some(constant) = &signature.constness {
        errors.add(constant, "a `const fn` may run in the compiler, where nothing is remembered; leave `const` away");
    }
    if let Some(unsafety) = &signature.unsafety {
        errors.add(
            unsafety,
            "an `unsafe fn` has conditions that a remembered result cannot check; wrap it in a safe one",
        );
    }
    if let Some(abi) = &signature.abi {
        errors.add(abi, "only functions of Rust's own ABI are remembered; call one from this");
    }
    if let Some(variadic) = &signature.variadic {
        errors.add(variadic, "variable arguments cannot be a key");
    }
    let is_lifetime = |parameter: &&GenericParam| matches!(parameter, GenericParam::Lifetime(_));
    let parameters: Punctuated<_, Token![,]> =
        signature.generics.params.iter().filter(|parameter| !is_lifetime(parameter)).collect();
    if !parameters.is_empty() {
        let instead = format!("write a function for each type that you need, or use `{attribute}(…).wrap(…)` in it");
        errors.add(parameters, format!("a generic function would need a cache for each of its types; {instead}"));
    }
}

pub(crate) fn skips(options: &Options, receiver: Option<&Receiver>, arguments: &[Argument], errors: &mut Errors) {
    for skipped in &options.skip {
        let is_known = arguments.iter().any(|argument| argument.name == *skipped);
        if skipped == "self" && receiver.is_some() || is_known {
            continue;
        }
        let names = receiver.map(|_| String::from("`self`")).into_iter();
        let names = names.chain(arguments.iter().filter_map(|argument| match &argument.pattern {
            Pat::Ident(plain) => Some(format!("`{}`", plain.ident)),
            _ => None,
        }));
        let names = names.collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { String::from("none at all") } else { names };
        errors.add(skipped, format!("there is no argument `{skipped}` to skip; there are: {names}"));
    }
}

pub(crate) fn receiver(options: &Options, receiver: Option<&Receiver>, errors: &mut Errors) {
    let Some(receiver) = receiver else { return };
    let is_in_key = options.key.is_none() && !options.skip.iter().any(|skipped| skipped == "self");
    let is_exclusive = receiver.reference.is_some() && receiver.mutability.is_some()
        || matches!(&*receiver.ty, Type::Reference(reference) if reference.mutability.is_some());
    if is_in_key && is_exclusive {
        errors.add(
            receiver,
            format!("what `&mut self` is changed to is not remembered; take `&self`, or {}", leave_out("self")),
        );
    }
}

pub(crate) fn argument(options: &Options, argument: &Argument, errors: &mut Errors) {
    let Argument { name, r#type, referent, is_in_key, .. } = argument;
    if !is_in_key {
        return;
    }
    if options.wrapper.is_persistent() && matches!(r#type, Type::BareFn(_) | Type::Ptr(_)) {
        let instead = leave_out(&name.to_string());
        errors.add(r#type, format!("an address means something else in the next run of the program; {instead}"));
    }
    if let Type::Reference(reference) = r#type
        && reference.mutability.is_some()
    {
        let instead = leave_out(&name.to_string());
        errors.add(r#type, format!("what a `&mut` is changed to is not remembered; return it instead, or {instead}"));
    } else if let Some(borrow) = borrows(referent.as_ref().unwrap_or(r#type)) {
        let message = "a borrow inside of an argument cannot be owned, which the key of an entry must be; take it by itself, \
            or say what the key is: `key = …`, which only needs `Hash`";
        errors.add(borrow, message);
    }
}

fn leave_out(name: &str) -> String {
    format!("leave it out of the key: `skip({name})`")
}

pub(crate) fn output(output: &Type, errors: &mut Errors) {
    struct Find(Option<proc_macro2::TokenStream>);
    impl Visit<'_> for Find {
        fn visit_type_impl_trait(&mut self, opaque: &syn::TypeImplTrait) {
            self.0.get_or_insert_with(|| quote::quote!(#opaque));
        }
    }
    let mut find = Find(None);
    find.visit_type(output);
    if boxed_future(output).is_some() {
        errors.add(output, "what is remembered would be the future, and not what it gives; write an `async fn`");
    } else if let Some(opaque) = find.0 {
        errors.add(opaque, "what is remembered needs a type with a name; return that in place of `impl Trait`");
    } else if let Some(borrow) = borrows(output) {
        let instead = "return it by value, such as `String` for `&str`, or an `Arc` of it";
        errors.add(borrow, format!("a borrowed result would be gone when it is remembered; {instead}"));
    } else if let Type::Never(never) = output {
        errors.add(never, "a function that never returns has nothing to be remembered");
    }
}

/// What of a type is borrowed, for less than ever.
fn borrows(of: &Type) -> Option<proc_macro2::TokenStream> {
    struct Find(Option<proc_macro2::TokenStream>);
    impl Visit<'_> for Find {
        fn visit_type_reference(&mut self, reference: &syn::TypeReference) {
            let is_static = reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
            if is_static && reference.mutability.is_none() {
                syn::visit::visit_type(self, &reference.elem);
            } else {
                self.0.get_or_insert_with(|| quote::quote!(#reference));
            }
        }

        fn visit_lifetime(&mut self, lifetime: &syn::Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert_with(|| quote::quote!(#lifetime));
            }
        }

        // Their lifetimes are their own, and no borrows.
        fn visit_type_bare_fn(&mut self, _: &syn::TypeBareFn) {}
    }
    let mut find = Find(None);
    find.visit_type(of);
    find.0
}
