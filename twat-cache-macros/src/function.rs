//! The function under an attribute: taken apart, and refused if it cannot be remembered.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{
    AngleBracketedGenericArguments, Attribute, Block, Error, FnArg, GenericArgument, Generics, Ident, ItemFn, Pat,
    Path, PathArguments, PathSegment, Receiver, Result, ReturnType, Signature, Token, Type, TypeParamBound, Visibility,
    parse_quote,
};

use crate::companion::CONTROLS;
use crate::options::{Options, ours};
use crate::refuse::{self, Errors};

/// A function that can be remembered.
pub(crate) struct Function {
    /// Those that belong to the function as it is called.
    pub(crate) attributes: Vec<Attribute>,
    /// Those that decide whether it is there at all.
    pub(crate) conditions: Vec<Attribute>,
    /// Those that are about its body.
    pub(crate) lints: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// The name of the type beside it, if one stands there.
    pub(crate) companion: Ident,
    /// Of lifetimes only.
    pub(crate) generics: Generics,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) arguments: Vec<Argument>,
    /// What it gives, in the end if it is async.
    pub(crate) output: Type,
    /// The boxed future that it gives, if another macro has made that of an `async fn`.
    pub(crate) future: Option<Type>,
    pub(crate) block: Block,
    /// Whether it stands in an `impl` or a `trait`, where nothing may stand beside it.
    pub(crate) stands_in_impl: bool,
}

/// One of its arguments.
pub(crate) struct Argument {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) pattern: Pat,
    /// What it is called where it must have a name.
    pub(crate) name: Ident,
    pub(crate) r#type: Type,
    /// What it leads to, if it is a reference.
    pub(crate) referent: Option<Type>,
    pub(crate) is_in_key: bool,
}

impl Argument {
    /// Whether it has a name as it is written.
    pub(crate) fn is_plain(&self) -> bool {
        is_plain(&self.pattern)
    }
}

fn is_plain(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Ident(named) if named.by_ref.is_none() && named.subpat.is_none())
}

impl Function {
    /// Takes it apart. What itself does not tell whether it stands in an `impl`, `source_tells`.
    pub(crate) fn parse(options: &Options, tokens: TokenStream, source_tells: impl FnOnce() -> bool) -> Result<Self> {
        let attribute = options.wrapper.name();
        let ItemFn { attrs, vis, mut sig, mut block } = syn::parse2(tokens).map_err(|error| {
            Error::new(
                error.span(),
                format!(
                    "`#[{attribute}]` goes on a function with a body; of a trait, on that of each `impl` ({error})"
                ),
            )
        })?;
        let stands_in_impl = sig.receiver().is_some() || mentions_self(&sig) || source_tells();
        let companion = options.companion.clone().unwrap_or_else(|| sig.ident.clone());
        if !stands_in_impl {
            let mut past = PastCompanion(companion.clone());
            past.visit_signature_mut(&mut sig);
            past.visit_block_mut(&mut block);
        }
        let mut errors = Errors::default();
        refuse::others(&attrs, &mut errors);
        refuse::kinds(attribute, &sig, &mut errors);
        let receiver = sig.receiver().cloned();
        let arguments = arguments(&sig.inputs, options, &mut errors);
        refuse::skips(options, receiver.as_ref(), &arguments, &mut errors);
        refuse::receiver(options, receiver.as_ref(), &mut errors);
        let output = match &sig.output {
            ReturnType::Default => parse_quote!(()),
            ReturnType::Type(_, output) => peeled(output).clone(),
        };
        refuse::companion(options, &companion, stands_in_impl, &mut errors);
        // Of an `async fn` in an `impl`, `#[async_trait]` makes this. In a module nobody does.
        let promised = boxed_future(&output).filter(|_| stands_in_impl).cloned();
        let (output, future) = match promised {
            Some(promised) => (promised, Some(output)),
            None => (output, None),
        };
        refuse::output(&output, &mut errors);
        for argument in &arguments {
            refuse::argument(options, argument, &mut errors);
        }
        errors.finish()?;
        let is = |attribute: &Attribute, names: &[&str]| names.iter().any(|name| attribute.path().is_ident(name));
        let (lints, attributes): (Vec<_>, Vec<_>) =
            attrs.into_iter().partition(|attribute| is(attribute, &["allow", "expect", "warn", "deny", "forbid"]));
        let conditions = attributes.iter().filter(|attribute| is(attribute, &["cfg"])).cloned().collect();
        let generics = sig.generics.clone();
        let (visibility, signature, block) = (vis, sig, *block);
        Ok(Self {
            attributes,
            conditions,
            lints,
            visibility,
            signature,
            companion,
            generics,
            receiver,
            arguments,
            output,
            future,
            block,
            stands_in_impl,
        })
    }

    /// Its lints, for a part of what is written: one that is expected may be met in another part.
    pub(crate) fn quieted_lints(&self) -> Vec<Attribute> {
        let quieted = |lint: &Attribute| {
            let mut lint = lint.clone();
            if let syn::Meta::List(list) = &mut lint.meta
                && list.path.is_ident("expect")
            {
                list.path = parse_quote!(allow);
            }
            lint
        };
        self.lints.iter().map(quieted).collect()
    }

    pub(crate) fn is_async(&self) -> bool {
        self.signature.asyncness.is_some() || self.future.is_some()
    }

    /// What it is, as a whole.
    pub(crate) fn tokens(&self) -> TokenStream {
        let (signature, block) = (&self.signature, &self.block);
        quote!(#signature #block)
    }
}

/// Whether `Self` occurs in the types of a function: then it stands in an `impl`.
fn mentions_self(signature: &Signature) -> bool {
    struct Find(bool);
    impl Visit<'_> for Find {
        fn visit_path(&mut self, path: &syn::Path) {
            self.0 |= path.segments.first().is_some_and(|first| first.ident == "Self");
            syn::visit::visit_path(self, path);
        }
    }
    let mut find = Find(false);
    find.visit_signature(signature);
    find.0
}

/// Where a path begins with the companion's name, and can mean nothing of it, it means the crate of that name, as `bytes::Bytes`
/// in `fn bytes` does.
struct PastCompanion(Ident);

impl VisitMut for PastCompanion {
    fn visit_path_mut(&mut self, path: &mut Path) {
        let mut names = path.segments.iter().map(|segment| &segment.ident);
        let is_past = names.next() == Some(&self.0)
            && names.next().is_some_and(|next| !CONTROLS.iter().any(|control| next == control));
        if is_past && path.leading_colon.is_none() {
            path.leading_colon = Some(Token![::](self.0.span()));
        }
        syn::visit_mut::visit_path_mut(self, path);
    }
}

/// What is promised by a `Pin<Box<dyn Future<Output = …> + …>>`.
pub(crate) fn boxed_future(of: &Type) -> Option<&Type> {
    let Type::TraitObject(object) = argument_of(argument_of(of, "Pin")?, "Box")? else { return None };
    object.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => match &last_of(&bound.path, "Future")?.args.first()? {
            GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
            _ => None,
        },
        _ => None,
    })
}

/// The type `T` of a type `Name<T>`.
fn argument_of<'a>(of: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = peeled(of) else { return None };
    match last_of(&path.path, name)?.args.first()? {
        GenericArgument::Type(argument) => Some(peeled(argument)),
        _ => None,
    }
}

/// The generic arguments of a path that ends with this name.
fn last_of<'a>(path: &'a Path, name: &str) -> Option<&'a AngleBracketedGenericArguments> {
    match path.segments.last()? {
        PathSegment { ident, arguments: PathArguments::AngleBracketed(arguments) } if ident == name => Some(arguments),
        _ => None,
    }
}

/// A type out of its parentheses, and of those that nobody sees, which macros put around what they were given.
pub(crate) fn peeled(mut of: &Type) -> &Type {
    while let Type::Group(syn::TypeGroup { elem, .. }) | Type::Paren(syn::TypeParen { elem, .. }) = of {
        of = elem;
    }
    of
}

fn arguments(inputs: &Punctuated<FnArg, Token![,]>, options: &Options, errors: &mut Errors) -> Vec<Argument> {
    let typed = inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    let argument = |(index, typed): (usize, &syn::PatType)| {
        let name = match &*typed.pat {
            Pat::Ident(named) if is_plain(&typed.pat) => named.ident.clone(),
            _ => ours(&format!("argument_{index}")),
        };
        let r#type = peeled(&typed.ty).clone();
        if let Some(condition) = typed.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
            errors.add(
                condition,
                "an argument that may not be there cannot be part of a key; put `#[cfg]` on the function",
            );
        }
        if let Type::ImplTrait(opaque) = &r#type {
            errors.add(
                opaque,
                "`impl Trait` is generic, and would need a cache for each type; name one, or take a `&dyn`",
            );
        }
        let referent = match &r#type {
            Type::Reference(reference) => Some(peeled(&reference.elem).clone()),
            _ => None,
        };
        let attributes = typed.attrs.clone();
        let is_in_key = options.key.is_none() && !options.skip.contains(&name);
        Argument { attributes, pattern: (*typed.pat).clone(), name, r#type, referent, is_in_key }
    };
    typed.enumerate().map(argument).collect()
}
