//! The function under an attribute, taken apart.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{
    AssocType, Attribute, Block, Error, FnArg, GenericParam, Ident, ItemFn, Meta, Pat, Path, Receiver, Result,
    ReturnType, Signature, Token, Type, Visibility, parse_quote,
};

use crate::context::Around;
use crate::options::Options;

/// A function with one of our attributes.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// The name of its companion, if it has one.
    pub(crate) companion: Ident,
    pub(crate) arguments: Vec<Argument>,
    /// What it returns. Of an async function, what it gives in the end.
    pub(crate) output: Type,
    /// The boxed future that it returns, if another macro has made that of an `async fn`.
    pub(crate) future: Option<Type>,
    pub(crate) block: Block,
    /// Whether it is in an `impl` or a `trait`.
    pub(crate) is_in_impl: bool,
    /// The `impl` or `trait`, as far as it is known.
    pub(crate) around: Option<Around>,
}

/// One of its arguments.
pub(crate) struct Argument {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) pattern: Pat,
    /// Its name, or a name of ours for a pattern.
    pub(crate) name: Ident,
    pub(crate) r#type: Type,
    pub(crate) is_in_key: bool,
}

impl Argument {
    /// Whether it has a name in the source.
    pub(crate) fn has_name(&self) -> bool {
        has_name(&self.pattern)
    }

    /// What it refers to, if it is a reference.
    pub(crate) fn referent(&self) -> Option<&Type> {
        referent(&self.r#type)
    }

    /// A reference to it.
    pub(crate) fn by_reference(&self) -> TokenStream {
        let name = &self.name;
        if self.referent().is_some() { quote!(#name) } else { quote!(&#name) }
    }

    /// The argument as the body gets it. The key is needed after that, so the body gets a clone of what is in it.
    pub(crate) fn for_body(&self) -> TokenStream {
        let name = &self.name;
        if self.is_in_key && self.referent().is_none() {
            quote!(::core::clone::Clone::clone(&#name))
        } else {
            quote!(#name)
        }
    }
}

impl Function {
    /// Takes a function apart. What it does not tell itself, `source_tells`.
    pub(crate) fn parse(
        options: &Options,
        tokens: TokenStream,
        source_tells: impl FnOnce() -> Option<Around>,
    ) -> Result<Self> {
        let ItemFn { attrs: attributes, vis: visibility, sig: mut signature, mut block } = syn::parse2(tokens)
            .map_err(|error| {
                let message = "decorates functions with a body; for a trait's function, decorate that of each `impl`";
                Error::new(error.span(), format!("`#[{}]` {message} ({error})", options.wrapper.name()))
            })?;
        let tells_itself = signature.receiver().is_some() || mentions_self(&signature);
        let is_asked = !tells_itself || options.memo.is_some() || options.name.is_some();
        let around = if is_asked { source_tells() } else { None };
        let is_in_impl = tells_itself || around.is_some();
        let companion = options.companion.clone().unwrap_or_else(|| signature.ident.clone());
        if !is_in_impl && !is_generic(&signature) {
            let mut skip = SkipCompanion(companion.clone());
            skip.visit_signature_mut(&mut signature);
            skip.visit_block_mut(&mut block);
        }
        let returned = match &signature.output {
            ReturnType::Default => parse_quote!(()),
            ReturnType::Type(_, returned) => peeled(returned).clone(),
        };
        // `#[async_trait]` makes one of an `async fn` in an `impl`. In a module, nothing does.
        let (output, future) = match boxed_future(&returned).filter(|_| is_in_impl) {
            Some(output) => (output, Some(returned)),
            None => (returned, None),
        };
        let arguments = arguments(&signature.inputs, options);
        let block = *block;
        Ok(Self { attributes, visibility, signature, companion, arguments, output, future, block, is_in_impl, around })
    }

    /// Whether it has a companion. There is one cache for each instance of a generic function, and no type for all of them.
    pub(crate) fn has_companion(&self) -> bool {
        !self.is_in_impl && !self.is_generic()
    }

    /// Whether it may have several instances, each with a cache of its own.
    pub(crate) fn has_instances(&self) -> bool {
        self.is_generic() || self.is_in_impl && self.around.is_none_or(|around| around.is_generic)
    }

    /// Whether it has parameters that are types or constants.
    pub(crate) fn is_generic(&self) -> bool {
        is_generic(&self.signature)
    }

    pub(crate) fn is_async(&self) -> bool {
        self.signature.asyncness.is_some() || self.future.is_some()
    }

    /// The receiver, if it is part of the key.
    pub(crate) fn receiver_in_key(&self, options: &Options) -> Option<&Receiver> {
        let is_skipped = options.key.is_some() || options.skip.iter().any(|skipped| skipped == "self");
        self.signature.receiver().filter(|_| !is_skipped)
    }

    /// Its attributes, for several parts of the code that is written. A lint that is expected may occur in one of them only,
    /// so it is allowed.
    pub(crate) fn attributes_for_parts(&self) -> Vec<Attribute> {
        let mut attributes = self.attributes.clone();
        for attribute in &mut attributes {
            if let Meta::List(list) = &mut attribute.meta
                && list.path.is_ident("expect")
            {
                list.path = parse_quote!(allow);
            }
        }
        attributes
    }

    /// The arguments as parameters, by their names, each with a comma.
    pub(crate) fn parameters(&self) -> TokenStream {
        self.parameters_if(|_| true)
    }

    /// Some of them, each with a comma.
    pub(crate) fn parameters_if(&self, is_one: impl Fn(&Argument) -> bool) -> TokenStream {
        let parameters = self
            .arguments
            .iter()
            .filter(|argument| is_one(argument))
            .map(|Argument { attributes, name, r#type, .. }| quote!(#(#attributes)* #name: #r#type,));
        parameters.collect()
    }

    /// The return type with its arrow, if the source has them.
    pub(crate) fn arrow(&self) -> TokenStream {
        let returned = self.future.as_ref().unwrap_or(&self.output);
        match &self.signature.output {
            ReturnType::Default => TokenStream::new(),
            ReturnType::Type(..) => quote!(-> #returned),
        }
    }

    /// The function without its attributes.
    pub(crate) fn tokens(&self) -> TokenStream {
        let (signature, block) = (&self.signature, &self.block);
        quote!(#signature #block)
    }
}

fn is_generic(signature: &Signature) -> bool {
    signature.generics.params.iter().any(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
}

fn arguments(inputs: &Punctuated<FnArg, Token![,]>, options: &Options) -> Vec<Argument> {
    let typed = inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    let argument = |(index, typed): (usize, &syn::PatType)| {
        let name = match &*typed.pat {
            Pat::Ident(named) if has_name(&typed.pat) => named.ident.clone(),
            _ => ours(&format!("argument_{index}")),
        };
        let is_in_key = options.key.is_none() && !options.skip.contains(&name);
        let (attributes, pattern, r#type) = (typed.attrs.clone(), (*typed.pat).clone(), peeled(&typed.ty).clone());
        Argument { attributes, pattern, name, r#type, is_in_key }
    };
    typed.enumerate().map(argument).collect()
}

fn has_name(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Ident(named) if named.by_ref.is_none() && named.subpat.is_none())
}

/// A name of ours in the code that is written. It is never a name of the user's.
pub(crate) fn ours(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// A type without its parentheses, and without those that nobody sees: macros put them around what they are given.
pub(crate) fn peeled(mut of: &Type) -> &Type {
    while let Type::Group(syn::TypeGroup { elem, .. }) | Type::Paren(syn::TypeParen { elem, .. }) = of {
        of = elem;
    }
    of
}

/// What a type refers to, if it is a reference.
pub(crate) fn referent(of: &Type) -> Option<&Type> {
    match peeled(of) {
        Type::Reference(reference) => Some(peeled(&reference.elem)),
        _ => None,
    }
}

/// Whether `Self` occurs in the types of a function. Then it is in an `impl`.
fn mentions_self(signature: &Signature) -> bool {
    struct Find(bool);
    impl Visit<'_> for Find {
        fn visit_path(&mut self, path: &Path) {
            self.0 |= path.segments.first().is_some_and(|first| first.ident == "Self");
            syn::visit::visit_path(self, path);
        }
    }
    let mut find = Find(false);
    find.visit_signature(signature);
    find.0
}

/// The type that a `Pin<Box<dyn Future<Output = …> + …>>` gives in the end.
pub(crate) fn boxed_future(of: &Type) -> Option<Type> {
    struct Find(Option<Type>);
    impl Visit<'_> for Find {
        fn visit_assoc_type(&mut self, found: &AssocType) {
            if found.ident == "Output" {
                self.0.get_or_insert_with(|| found.ty.clone());
            }
        }
    }
    let mut find = Find(None);
    match peeled(of) {
        Type::Path(path) if path.path.segments.last()?.ident == "Pin" => find.visit_type_path(path),
        _ => {}
    }
    find.0
}

/// The functions of a companion.
const CONTROLS: [&str; 15] = [
    "uncached",
    "refresh",
    "view",
    "peek",
    "peek_async",
    "insert",
    "insert_async",
    "forget",
    "forget_async",
    "clear",
    "clear_async",
    "len",
    "len_async",
    "store",
    "memo",
];

/// Makes paths skip the companion. In a function `bytes`, `bytes::Bytes` means the crate, because the companion has no such name.
struct SkipCompanion(Ident);

impl VisitMut for SkipCompanion {
    fn visit_path_mut(&mut self, path: &mut Path) {
        let mut names = path.segments.iter().map(|segment| &segment.ident);
        let is_other = names.next() == Some(&self.0)
            && names.next().is_some_and(|next| !CONTROLS.iter().any(|control| next == control));
        if is_other && path.leading_colon.is_none() {
            path.leading_colon = Some(Token![::](self.0.span()));
        }
        syn::visit_mut::visit_path_mut(self, path);
    }
}
