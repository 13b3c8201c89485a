//! What stands in `#[rkyv(…)]`.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::token::Paren;
use syn::{Attribute, Result, Token, Type};

/// The arguments of all `#[rkyv(…)]` attributes of one thing, by their names.
#[derive(Clone, Default)]
pub(super) struct Arguments(Vec<(String, TokenStream)>);

impl Arguments {
    pub(super) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut arguments = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("rkyv")) {
            attribute.parse_nested_meta(|meta| {
                let (path, input) = (&meta.path, meta.input);
                let value = if input.peek(Token![=]) {
                    let (sign, value) = (input.parse::<Token![=]>()?, input.parse::<Type>()?);
                    quote!(#sign #value)
                } else if input.peek(Paren) {
                    input.parse::<Group>()?.into_token_stream()
                } else {
                    TokenStream::new()
                };
                arguments.0.push((path.to_token_stream().to_string(), quote!(#path #value)));
                Ok(())
            })?;
        }
        Ok(arguments)
    }

    /// The tokens of an argument, its name included.
    pub(super) fn get(&self, name: &str) -> Option<&TokenStream> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, tokens)| tokens)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Adds an argument, unless the user gives one of its name.
    pub(super) fn add(&mut self, name: &str, tokens: TokenStream) {
        if !self.has(name) {
            self.0.push((name.to_owned(), tokens));
        }
    }

    /// Adds an argument within the parentheses of another one, unless the user gives one of its name there.
    pub(super) fn add_within(&mut self, outer: &str, name: &str, tokens: &TokenStream) {
        let outer_name = format_ident!("{outer}");
        let Some((_, known)) = self.0.iter_mut().find(|(known, _)| known == outer) else {
            return self.add(outer, quote!(#outer_name(#tokens)));
        };
        let group = known.clone().into_iter().find_map(|token| match token {
            TokenTree::Group(group) => Some(group.stream()),
            _ => None,
        });
        let given = group.unwrap_or_default();
        let is_given = given.clone().into_iter().any(|token| token.to_string() == name);
        if !is_given {
            *known = quote!(#outer_name(#tokens, #given));
        }
    }
}

/// The attribute again.
impl ToTokens for Arguments {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let arguments = self.0.iter().map(|(_, tokens)| tokens);
        tokens.extend(quote!(#[rkyv(#(#arguments),*)]));
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn with_ours(attributes: &[Attribute]) -> String {
        let mut arguments = Arguments::parse(attributes).expect("arguments");
        arguments.add("crate", quote!(crate = ours));
        arguments.add_within("bytecheck", "bounds", &quote!(bounds(ours)));
        arguments.to_token_stream().to_string()
    }

    #[test]
    fn the_arguments_of_the_user_count() {
        let expected = |tokens: TokenStream| tokens.to_string();
        assert_eq!(with_ours(&[]), expected(quote!(#[rkyv(crate = ours, bytecheck(bounds(ours)))])));
        let given: [Attribute; 2] =
            [parse_quote!(#[rkyv(bytecheck(verify))]), parse_quote!(#[rkyv(with = A<B, C>, d)])];
        let both = quote!(#[rkyv(bytecheck(bounds(ours), verify), with = A<B, C>, d, crate = ours)]);
        assert_eq!(with_ours(&given), expected(both));
        let all: [Attribute; 1] = [parse_quote!(#[rkyv(crate = a::b, bytecheck(bounds(T: C)))])];
        assert_eq!(with_ours(&all), expected(all[0].to_token_stream()));
    }
}
