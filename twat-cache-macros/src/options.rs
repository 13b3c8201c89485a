//! The options in the parentheses of an attribute.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::token::Paren;
use syn::{Error, Expr, Ident, Path, Result, Token, Type, parenthesized, parse_quote};

/// Which attribute it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapper {
    Memory,
    Disk,
    Shared,
    File,
    Remote,
    Unified,
}

/// The names of the attributes.
pub(crate) const NAMES: [&str; 6] = ["mcache", "bcache", "scache", "fcache", "rcache", "ucache"];

impl Wrapper {
    pub(crate) fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Whether results outlive the process.
    pub(crate) fn is_persistent(self) -> bool {
        self != Self::Memory
    }

    /// The options that not all attributes take.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Memory => &["max_entries", "on_evict"],
            Self::Disk | Self::Shared => {
                &["max_bytes", "version", "depends", "dir", "name", "trust", "serde", "compress"]
            }
            Self::File => &["max_bytes", "version", "depends", "dir", "name", "trust", "serde", "access", "verify"],
            Self::Remote => {
                &["server", "timeout", "max_value_bytes", "near", "version", "depends", "name", "serde", "compress"]
            }
            Self::Unified => &[
                "max_entries",
                "max_bytes",
                "version",
                "depends",
                "dir",
                "name",
                "trust",
                "serde",
                "backend",
                "server",
            ],
        }
    }

    fn takes(self, option: &str) -> bool {
        self.options().iter().chain(&FOR_ALL).any(|known| *known == option)
    }
}

/// The options that all attributes take.
const FOR_ALL: [&str; 10] =
    ["ttl", "stale", "ttl_by", "keep_if", "patience", "key", "skip", "companion", "memo", "crate"];

const EXAMPLE: &str = "expected an option, as in `ttl = Duration::from_secs(60)`";

/// The options of one attribute.
pub(crate) struct Options {
    pub(crate) wrapper: Wrapper,
    /// Those that are methods of the builder, with their values.
    pub(crate) settings: Vec<(Ident, Option<Expr>)>,
    /// Those that are methods of the memo: `ttl_by` and `keep_if`.
    pub(crate) rules: Vec<(Ident, Expr)>,
    pub(crate) patience: Option<Expr>,
    pub(crate) version: Option<Expr>,
    /// The companions and types whose fingerprints are a part of the version.
    pub(crate) depends: Vec<Type>,
    pub(crate) name: Option<Expr>,
    /// Whether serde encodes the results, whatever else can.
    pub(crate) serde: bool,
    pub(crate) key: Option<Expr>,
    /// Arguments that are not part of the key.
    pub(crate) skip: Vec<Ident>,
    /// The name of the companion.
    pub(crate) companion: Option<Ident>,
    /// The name of the function beside a method that gives the memo.
    pub(crate) memo: Option<Ident>,
    /// The path of the facade.
    pub(crate) krate: Path,
}

impl Options {
    /// Whether this method of the builder is called.
    pub(crate) fn sets(&self, setting: &str) -> bool {
        self.settings.iter().any(|(name, _)| name == setting)
    }

    /// The options of this attribute.
    pub(crate) fn parse(wrapper: Wrapper, tokens: TokenStream) -> Result<Self> {
        let mut options = Self {
            wrapper,
            settings: Vec::new(),
            rules: Vec::new(),
            patience: None,
            version: None,
            depends: Vec::new(),
            name: None,
            serde: false,
            key: None,
            skip: Vec::new(),
            companion: None,
            memo: None,
            krate: parse_quote!(::twat_cache),
        };
        let parse = |input: ParseStream<'_>| {
            let mut given = Vec::new();
            while !input.is_empty() {
                let name = Ident::parse_any(input).map_err(|error| Error::new(error.span(), EXAMPLE))?;
                if given.contains(&name) {
                    return Err(Error::new(name.span(), format!("`{name}` is given twice")));
                }
                given.push(name.clone());
                options.parse_one(name, input)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        parse.parse2(tokens)?;
        // What is not kept needs no TTL. The last rule is asked first.
        options.rules.sort_by_key(|(rule, _)| rule == "keep_if");
        if let (Some(key), Some(skipped)) = (&options.key, options.skip.first()) {
            let mut error = Error::new_spanned(key, "`key` is the whole key");
            error.combine(Error::new(skipped.span(), "so there is nothing to `skip`; remove one of the two options"));
            return Err(error);
        }
        Ok(options)
    }

    /// Parses what follows the name of an option.
    fn parse_one(&mut self, name: Ident, input: ParseStream<'_>) -> Result<()> {
        let (word, span) = (name.to_string(), name.span());
        let refuse = |message: &str| Err(Error::new(span, message));
        if !self.wrapper.takes(&word) {
            return refuse(&not_an_option(self.wrapper, &word));
        }
        let (has_value, has_list) = (input.peek(Token![=]), input.peek(Paren));
        match &*word {
            "skip" if has_list => {
                let list;
                parenthesized!(list in input);
                let skipped = Punctuated::<Ident, Token![,]>::parse_terminated_with(&list, Ident::parse_any)?;
                self.skip = skipped.into_iter().collect();
                return Ok(());
            }
            "depends" if has_list => {
                let list;
                parenthesized!(list in input);
                self.depends = Punctuated::<Type, Token![,]>::parse_terminated(&list)?.into_iter().collect();
                return Ok(());
            }
            "serde" | "compress" if !has_value && !has_list => {
                self.serde = true;
                if word == "compress" {
                    self.settings.push((name, None));
                }
                return Ok(());
            }
            "skip" => return refuse("`skip` takes arguments in parentheses: `skip(a, b)`"),
            "depends" => return refuse("`depends` takes functions and types in parentheses: `depends(parse, Config)`"),
            "serde" | "compress" => return refuse(&format!("`{word}` takes no value")),
            _ if !has_value => return refuse(&format!("`{word}` needs a value: `{word} = …`")),
            _ => {}
        }
        input.parse::<Token![=]>()?;
        match &*word {
            "crate" => {
                let message = "`crate` is a path, without quotes: `crate = renamed`";
                self.krate = Path::parse_mod_style(input).map_err(|error| Error::new(error.span(), message))?;
            }
            "companion" => {
                let message = "`companion` is a name, without quotes: `companion = fib_cache`";
                self.companion = Some(input.parse().map_err(|error: Error| Error::new(error.span(), message))?);
            }
            "memo" => {
                let message = "`memo` is the name of a new function, without quotes: `memo = price_memo`";
                self.memo = Some(input.parse().map_err(|error: Error| Error::new(error.span(), message))?);
            }
            "ttl_by" | "keep_if" => self.rules.push((name, input.parse()?)),
            "patience" => self.patience = Some(input.parse()?),
            "version" => self.version = Some(input.parse()?),
            "name" => self.name = Some(input.parse()?),
            "key" => self.key = Some(input.parse()?),
            _ => self.settings.push((name, Some(input.parse()?))),
        }
        Ok(())
    }

    /// The options that tell which arguments share a result. If they change, stored results mean something else.
    pub(crate) fn key_tokens(&self) -> TokenStream {
        let (key, skip) = (&self.key, &self.skip);
        key.as_ref().map_or_else(|| quote!(#(#skip)*), ToTokens::to_token_stream)
    }
}

fn not_an_option(wrapper: Wrapper, word: &str) -> String {
    let attribute = wrapper.name();
    let allowed =
        wrapper.options().iter().chain(&FOR_ALL).map(|option| format!("`{option}`")).collect::<Vec<_>>().join(", ");
    if [Wrapper::Memory, Wrapper::Disk, Wrapper::Shared, Wrapper::File, Wrapper::Remote, Wrapper::Unified]
        .iter()
        .any(|other| other.takes(word))
    {
        format!("`{word}` is not for `#[{attribute}]`, which takes {allowed}")
    } else {
        format!("there is no option `{word}`; `#[{attribute}]` takes {allowed}")
    }
}
