//! What stands in the parentheses of an attribute.

use std::hash::Hasher as _;

use proc_macro2::{Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Path, Result, Token, parenthesized, parse_quote};

/// Which attribute it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapper {
    Memory,
    Disk,
    File,
    Unified,
}

/// The names of the attributes.
pub(crate) const NAMES: [&str; 4] = ["mcache", "bcache", "fcache", "ucache"];

impl Wrapper {
    pub(crate) fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Whether what it remembers outlives the process.
    pub(crate) fn is_persistent(self) -> bool {
        self != Self::Memory
    }

    /// What it takes besides what all take.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Memory => &["max_entries"],
            Self::Disk => &["max_bytes", "version", "dir", "name", "trust", "serde"],
            Self::File => &["max_bytes", "version", "dir", "name", "trust", "access", "verify"],
            Self::Unified => &["max_entries", "max_bytes", "version", "dir", "name", "trust", "backend"],
        }
    }

    fn takes(self, option: &str) -> bool {
        self.options().iter().chain(&FOR_ALL).any(|known| *known == option)
    }
}

/// What all attributes take.
const FOR_ALL: [&str; 6] = ["ttl", "patience", "key", "skip", "companion", "crate"];

/// The options of one attribute.
pub(crate) struct Options {
    pub(crate) wrapper: Wrapper,
    /// Those that are methods of the builder, with their values.
    pub(crate) settings: Vec<(Ident, Option<Expr>)>,
    pub(crate) patience: Option<Expr>,
    pub(crate) version: Option<Expr>,
    pub(crate) name: Option<Expr>,
    pub(crate) key: Option<Expr>,
    /// Arguments that are left out of the key.
    pub(crate) skip: Vec<Ident>,
    /// What the type beside a free function is called.
    pub(crate) companion: Option<Ident>,
    /// Where the facade is.
    pub(crate) krate: Path,
}

impl Options {
    /// The options of this attribute.
    pub(crate) fn parse(wrapper: Wrapper, tokens: TokenStream) -> Result<Self> {
        let parse = |input: ParseStream<'_>| Punctuated::<Given, Token![,]>::parse_terminated(input);
        let given = syn::parse::Parser::parse2(parse, tokens)?;
        let mut options = Self {
            wrapper,
            settings: Vec::new(),
            patience: None,
            version: None,
            name: None,
            key: None,
            skip: Vec::new(),
            companion: None,
            krate: parse_quote!(::twat_cache),
        };
        let mut seen: Vec<String> = Vec::new();
        for Given { name, value } in given {
            let word = name.to_string();
            if !wrapper.takes(&word) {
                return Err(Error::new(name.span(), not_an_option(wrapper, &word)));
            }
            if seen.contains(&word) {
                return Err(Error::new(name.span(), format!("`{word}` is given twice")));
            }
            options.set(&name, &word, value)?;
            seen.push(word);
        }
        if let (Some(key), Some(skipped)) = (&options.key, options.skip.first()) {
            let mut error = Error::new_spanned(key, "`key` says all that is in the key");
            error.combine(Error::new(skipped.span(), "so there is nothing to `skip`; leave one of the two away"));
            return Err(error);
        }
        Ok(options)
    }

    fn set(&mut self, name: &Ident, word: &str, value: Value) -> Result<()> {
        match (word, value) {
            ("skip", Value::List(skipped)) => self.skip = skipped,
            ("skip", _) => return Err(Error::new(name.span(), "arguments to skip stand in parentheses: `skip(a, b)`")),
            (_, Value::List(_)) => {
                return Err(Error::new(name.span(), format!("`{word}` takes a value: `{word} = …`")));
            }
            ("serde", Value::None) => self.settings.push((name.clone(), None)),
            ("serde", _) => return Err(Error::new(name.span(), "`serde` takes no value: it is there or not")),
            (_, Value::None) => {
                return Err(Error::new(name.span(), format!("`{word}` needs a value: `{word} = …`")));
            }
            ("crate", Value::Path(path)) => self.krate = path,
            ("patience", Value::Expr(expr)) => self.patience = Some(expr),
            ("companion", Value::Expr(Expr::Path(path))) if path.path.get_ident().is_some() => {
                self.companion = path.path.get_ident().cloned();
            }
            ("companion", Value::Expr(expr)) => {
                return Err(Error::new_spanned(expr, "`companion` is a name, without quotes: `companion = fib_cache`"));
            }
            ("version", Value::Expr(expr)) => self.version = Some(expr),
            ("name", Value::Expr(expr)) => self.name = Some(expr),
            ("key", Value::Expr(expr)) => self.key = Some(expr),
            (_, Value::Expr(expr)) => self.settings.push((name.clone(), Some(expr))),
            (_, Value::Path(_)) => unreachable!("only `crate` is parsed as a path"),
        }
        Ok(())
    }

    /// What of the options says which arguments are whose result: with another key, what is stored means something else.
    pub(crate) fn key_tokens(&self) -> TokenStream {
        let (key, skip) = (&self.key, &self.skip);
        key.as_ref().map_or_else(|| quote!(#(#skip)*), ToTokens::to_token_stream)
    }
}

fn not_an_option(wrapper: Wrapper, word: &str) -> String {
    let attribute = wrapper.name();
    let allowed =
        wrapper.options().iter().chain(&FOR_ALL).map(|option| format!("`{option}`")).collect::<Vec<_>>().join(", ");
    if [Wrapper::Memory, Wrapper::Disk, Wrapper::File, Wrapper::Unified].iter().any(|other| other.takes(word)) {
        format!("`{word}` is not for `#[{attribute}]`, which takes {allowed}")
    } else {
        format!("there is no option `{word}`; `#[{attribute}]` takes {allowed}")
    }
}

/// One option, as it is written.
struct Given {
    name: Ident,
    value: Value,
}

enum Value {
    None,
    Expr(Expr),
    List(Vec<Ident>),
    Path(Path),
}

impl Parse for Given {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let no_option =
            |error: Error| Error::new(error.span(), "expected an option, as in `ttl = Duration::from_secs(60)`");
        let name = Ident::parse_any(input).map_err(no_option)?;
        let value = if input.peek(syn::token::Paren) {
            let list;
            parenthesized!(list in input);
            let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&list, Ident::parse_any)?;
            Value::List(names.into_iter().collect())
        } else if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            if name == "crate" {
                let no_path =
                    |error: Error| Error::new(error.span(), "`crate` is a path, without quotes: `crate = renamed`");
                Value::Path(Path::parse_mod_style(input).map_err(no_path)?)
            } else {
                Value::Expr(input.parse()?)
            }
        } else {
            Value::None
        };
        Ok(Self { name, value })
    }
}

/// A number for these tokens, as a literal: the same wherever and whenever they are compiled.
pub(crate) fn fingerprint(tokens: impl ToTokens) -> Literal {
    Literal::u128_suffixed(digest(tokens.to_token_stream()))
}

/// A number for these tokens.
pub(crate) fn digest(tokens: TokenStream) -> u128 {
    let mut hasher = SipHasher13::new();
    hash(tokens, &mut hasher);
    hasher.finish128().as_u128()
}

/// Token by token, because how they are printed side by side may change.
fn hash(tokens: TokenStream, hasher: &mut SipHasher13) {
    for token in tokens {
        if let TokenTree::Group(group) = token {
            hasher.write_u8(1 + group.delimiter() as u8);
            hash(group.stream(), hasher);
            hasher.write_u8(0);
        } else {
            let text = token.to_string();
            hasher.write_usize(text.len());
            hasher.write(text.as_bytes());
        }
    }
}

/// Where generated names are from: they meet none of the user's.
pub(crate) fn ours(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
