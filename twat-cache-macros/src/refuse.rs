//! Functions that cannot be remembered, and what to do instead.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::Visit;
use syn::{Error, Lifetime, Receiver, Result, Signature, Type, TypeBareFn, TypeImplTrait, TypeReference};

use crate::context::Around;
use crate::function::{Argument, Function, boxed_future};
use crate::options::{NAMES, Options};

/// The companion of such a function would hide the type.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64",
];

/// Says at once all that is wrong with a function.
pub(crate) fn check(function: &Function, options: &Options) -> Result<()> {
    let mut errors = Errors::default();
    attributes(function, &mut errors);
    kind(function, &mut errors);
    companion(function, options, &mut errors);
    memo(function, options, &mut errors);
    skips(function, options, &mut errors);
    receiver(function, options, &mut errors);
    for one in &function.arguments {
        argument(one, options, &mut errors);
    }
    output(&function.output, &mut errors);
    errors.0.map_or(Ok(()), Err)
}

#[derive(Default)]
pub(crate) struct Errors(pub(crate) Option<Error>);

impl Errors {
    /// An error at these tokens, if there are any.
    pub(crate) fn add(&mut self, at: impl ToTokens, message: impl std::fmt::Display) {
        let at = at.into_token_stream();
        if at.is_empty() {
            return;
        }
        let error = Error::new_spanned(at, message);
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }
}

fn attributes(function: &Function, errors: &mut Errors) {
    let is_ours =
        |path: &syn::Path| path.segments.last().is_some_and(|last| NAMES.iter().any(|name| last.ident == name));
    for other in function.attributes.iter().filter(|attribute| is_ours(attribute.path())) {
        errors.add(other, "a function has one cache, so it has one such attribute; `ucache` has memory and a disk");
    }
}

fn kind(function: &Function, errors: &mut Errors) {
    let Signature { constness, unsafety, abi, variadic, .. } = &function.signature;
    errors.add(constness, "a `const fn` may run in the compiler, where nothing is remembered; remove `const`");
    let message = "an `unsafe fn` has conditions that a remembered result cannot check; wrap it in a safe function";
    errors.add(unsafety, message);
    errors.add(abi, "only functions of Rust's own ABI can be remembered; call this one from such a function");
    errors.add(variadic, "variable arguments cannot be a key");
}

fn companion(function: &Function, options: &Options, errors: &mut Errors) {
    let name = &function.companion;
    if function.is_in_impl {
        let message = "a method has no companion; `memo = …` writes a function that gives its memo";
        errors.add(&options.companion, message);
    } else if function.is_generic() {
        let message = "a generic function has a cache for each of its types, and no companion; decorate a function of one \
            type, and call it from this one";
        errors.add(&options.companion, message);
    } else if PRIMITIVES.iter().any(|primitive| name == primitive) {
        let message = "the companion, a type with the name of the function, would hide";
        errors.add(name, format!("{message} `{name}`; give it another name: `companion = …`"));
    }
}

/// Another macro may have written the `impl`. Then it is the compiler that refuses these.
fn memo(function: &Function, options: &Options, errors: &mut Errors) {
    let Some(memo) = &options.memo else { return };
    let Around { is_of_trait, is_generic } = function.around.unwrap_or_default();
    if function.has_companion() {
        let instead = format!("`{}::memo()`", function.companion);
        errors.add(memo, format!("`memo` is for methods; of a function, its companion has it: {instead}"));
    } else if function.is_generic() || is_generic {
        let message = "there is a memo for each type, so `memo` has no type to give; decorate a function that is not \
            generic, and call it from this one";
        errors.add(memo, message);
    } else if is_of_trait {
        let message = "a trait says which functions it has, so `memo` can add none; decorate a method in an `impl` without \
            a trait, and call it from this one";
        errors.add(memo, message);
    }
}

fn skips(function: &Function, options: &Options, errors: &mut Errors) {
    let plain =
        function.arguments.iter().filter(|argument| argument.has_name()).map(|argument| argument.name.to_string());
    let names: Vec<String> =
        function.signature.receiver().map(|_| String::from("self")).into_iter().chain(plain).collect();
    let known = if names.is_empty() { String::from("none at all") } else { format!("`{}`", names.join("`, `")) };
    for skipped in options.skip.iter().filter(|skipped| !names.contains(&skipped.to_string())) {
        errors.add(skipped, format!("there is no argument `{skipped}` to skip; there are: {known}"));
    }
}

fn receiver(function: &Function, options: &Options, errors: &mut Errors) {
    let is_exclusive = |receiver: &&Receiver| matches!(&*receiver.ty, Type::Reference(it) if it.mutability.is_some());
    let message = "changes to `&mut self` are not remembered; take `&self`";
    let receiver = function.receiver_in_key(options).filter(is_exclusive);
    errors.add(receiver, format!("{message}, or {}", leave_out("self")));
}

fn argument(argument: &Argument, options: &Options, errors: &mut Errors) {
    let Argument { attributes, name, r#type, is_in_key, .. } = argument;
    let condition = attributes.iter().find(|attribute| attribute.path().is_ident("cfg"));
    errors.add(condition, "a conditional argument cannot be part of a key; put `#[cfg]` on the function");
    let message =
        "`impl Trait` is a type without a name; write a parameter for it, as in `fn f<T>(value: T)`, or take a `&dyn`";
    errors.add(opaque(r#type), message);
    let instead = leave_out(&name.to_string());
    match r#type {
        _ if !is_in_key => {}
        Type::BareFn(_) | Type::Ptr(_) if options.wrapper.is_persistent() => {
            errors.add(r#type, format!("an address means something else in the next run of the program; {instead}"));
        }
        Type::Reference(reference) if reference.mutability.is_some() => {
            errors.add(r#type, format!("changes to a `&mut` are not remembered; return the value, or {instead}"));
        }
        _ => {
            let message = "a borrow inside an argument cannot be owned, and the key of an entry is owned; make it an \
                argument, or give the key: `key = …`, which only needs `Hash`";
            errors.add(borrow(argument.referent().unwrap_or(r#type)), message);
        }
    }
}

fn leave_out(name: &str) -> String {
    format!("leave it out of the key: `skip({name})`")
}

fn output(output: &Type, errors: &mut Errors) {
    if boxed_future(output).is_some() {
        errors.add(output, "the future would be remembered, and not what it gives; write an `async fn`");
    } else if let Some(opaque) = opaque(output) {
        errors.add(opaque, "what is remembered needs a type with a name; return that instead of `impl Trait`");
    } else if let Some(borrow) = borrow(output) {
        let instead = "return it by value, such as `String` for `&str`, or an `Arc` of it";
        errors.add(borrow, format!("a borrowed result ends before it can be remembered; {instead}"));
    } else if let Type::Never(never) = output {
        errors.add(never, "a function that never returns has nothing to remember");
    }
}

/// An `impl Trait` in a type.
fn opaque(of: &Type) -> Option<TokenStream> {
    struct Find(Option<TokenStream>);
    impl Visit<'_> for Find {
        fn visit_type_impl_trait(&mut self, opaque: &TypeImplTrait) {
            self.0.get_or_insert_with(|| opaque.to_token_stream());
        }
    }
    let mut find = Find(None);
    find.visit_type(of);
    find.0
}

/// A part of a type that is borrowed, and not `'static`.
fn borrow(of: &Type) -> Option<TokenStream> {
    struct Find(Option<TokenStream>);
    impl Visit<'_> for Find {
        fn visit_type_reference(&mut self, reference: &TypeReference) {
            let is_static = reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
            if is_static && reference.mutability.is_none() {
                self.visit_type(&reference.elem);
            } else {
                self.0.get_or_insert_with(|| reference.to_token_stream());
            }
        }

        fn visit_lifetime(&mut self, lifetime: &Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert_with(|| lifetime.to_token_stream());
            }
        }

        // The lifetimes in it are its own.
        fn visit_type_bare_fn(&mut self, _: &TypeBareFn) {}
    }
    let mut find = Find(None);
    find.visit_type(of);
    find.0
}
