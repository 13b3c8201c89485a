//! What is around a function. In an `impl`, it cannot have a companion. An attribute sees the function alone, and a function without
//! `self` and `Self` looks the same in a module. So the source around it is read.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};

use proc_macro::Span;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{GenericParam, ItemImpl};

/// What may stand before the word that tells what an item is.
const MODIFIERS: [&str; 6] = ["pub", "unsafe", "default", "auto", "const", "async"];

/// Stands before each attribute of a source, followed by the offset of the attribute.
const MARK: &str = "__an_attribute_at_";

/// The `impl` or `trait` that a function is directly in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Around {
    /// Whether it is a `trait`, or an `impl` of one.
    pub(crate) is_of_trait: bool,
    /// Whether it has parameters that are types or constants. `Self` is one of a `trait`.
    pub(crate) is_generic: bool,
}

impl Around {
    /// After the head of a `trait` or an `impl`. In a macro, what is not known is `false`.
    fn of(head: &TokenStream) -> Self {
        let is_trait = head.clone().into_iter().next().is_some_and(|first| first.to_string() == "trait");
        match syn::parse2::<ItemImpl>(quote!(#head {})) {
            Ok(item) => Self {
                is_of_trait: item.trait_.is_some(),
                is_generic: item.generics.params.iter().any(|one| !matches!(one, GenericParam::Lifetime(_))),
            },
            Err(_) => Self { is_of_trait: is_trait, is_generic: is_trait },
        }
    }
}

/// What the attribute at this span is directly in. If the source cannot be read, that is nothing.
pub(crate) fn around(span: Span) -> Option<Around> {
    /// The last source, and what was found in it: the next function is often in the same file.
    static LAST: Mutex<(String, BTreeMap<usize, Around>)> = Mutex::new((String::new(), BTreeMap::new()));
    let source = span.local_file().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    // The compiler does not count a byte order mark.
    let source = source.trim_start_matches('\u{feff}');
    // Both count from 1 on, and columns are characters.
    let lines: usize = source.split_inclusive('\n').take(span.line().saturating_sub(1)).map(str::len).sum();
    let columns: usize = source[lines..].chars().take(span.column()).map(char::len_utf8).sum();
    // The attribute may be within `cfg_attr`.
    let attribute = source[..lines + columns].rfind('#');
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.0 != source {
        *last = (source.to_owned(), attributes_in_impls(source));
    }
    last.1.get(&attribute?).copied()
}

/// The offsets of all attributes in a source that are directly in an `impl` or a `trait`.
fn attributes_in_impls(source: &str) -> BTreeMap<usize, Around> {
    let (mut marked, mut end, mut found) = (String::new(), 0, BTreeMap::new());
    // The compiler's own lexer knows what is text and what is a comment, but it does not tell offsets.
    for (offset, _) in source.match_indices("#[") {
        let is_end_of_text = source[..offset].ends_with(['"', '#']);
        if !is_end_of_text {
            marked.extend([&source[end..offset], " ", MARK, &offset.to_string(), " "]);
            end = offset;
        }
    }
    marked += &source[end..];
    if (source.contains("impl") || source.contains("trait"))
        && let Ok(tokens) = marked.parse()
    {
        find(tokens, None, &mut found);
    }
    found
}

/// Finds the marks in a part of a source that is directly in an `impl` or a `trait`, or not.
fn find(tokens: TokenStream, around: Option<Around>, found: &mut BTreeMap<usize, Around>) {
    let is_impl = |item: &Option<String>| matches!(item.as_deref(), Some("impl" | "trait"));
    // The first word of the item that is being read, its head, how many `<` are open in that, and the last sign.
    let (mut item, mut head, mut angles, mut last) = (None, TokenStream::new(), 0_usize, ' ');
    for token in tokens {
        let before = std::mem::replace(&mut last, ' ');
        match &token {
            TokenTree::Ident(word) => {
                let word = word.to_string();
                if let Some(offset) = word.strip_prefix(MARK) {
                    found.extend(offset.parse().ok().zip(around));
                    continue;
                }
                if item.is_none() && !MODIFIERS.contains(&&*word) {
                    (item, head) = (Some(word), TokenStream::new());
                }
            }
            TokenTree::Group(group) => {
                // The head of an item may have a constant in braces: `Foo<{ 3 }>`.
                let is_body = group.delimiter() == Delimiter::Brace && angles == 0;
                let inside = is_impl(&item).then(|| Around::of(&head));
                find(group.stream(), if is_body { inside } else { around }, found);
                item = item.filter(|_| !is_body);
            }
            TokenTree::Punct(sign) => {
                last = sign.as_char();
                match last {
                    ';' => (item, angles) = (None, 0),
                    '<' if is_impl(&item) => angles += 1,
                    '>' if !matches!(before, '-' | '=') => angles = angles.saturating_sub(1),
                    _ => {}
                }
            }
            TokenTree::Literal(_) => {}
        }
        token.to_tokens(&mut head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_directly_in_an_impl_or_trait_is() {
        for source in [
            "impl Foo { #[a] fn a() {} }",
            "impl Foo { #[cfg_attr(all(), a)] fn a() {} }",
            "impl<T: Fn() -> [u8; { 3 }]> Foo<T> where T: Copy { fn a() {} #[a] }",
            "impl Foo<{ 1 + 2 }, { 3 }> { #[a] }",
            "impl<const N: u8 = { 3 }> Foo<N> { #[a] }",
            "impl<T> Foo<T>\nwhere\n    T: Fn() -> u8,\n{\n    #[a]}",
            "mod a { pub(crate) trait T { const A: u8 = { 1 }; #[a] } }",
            "unsafe impl Foo for Bar { /* } */ // }\n #[a] }",
            "impl Foo { const B: &str = \"}\\\"}\"; const C: char = '}'; #[a] }",
            "impl Foo { fn a<'a>(x: &'a str) -> char { '\\'' } const R: &str = r#\"\"}\"#; #[a] }",
            "macro_rules! make { ($a:ident) => { impl $a { #[a] } } }",
            "make! { impl A { #[a] } }",
            "fn a() { if b < c { d() } impl Foo { #[a] } }",
        ] {
            assert_eq!(
                attributes_in_impls(source).into_keys().collect::<Vec<_>>(),
                [source.find("#[").unwrap_or_default()],
                "{source}"
            );
        }
        for source in [
            "#[a] impl Foo { fn a() {} }",
            "fn a() { #[a] }",
            "impl<T> Foo<T> where T: Copy, { fn b() {} } fn a() { #[a] }",
            "impl Foo { fn a() { #[a] } }",
            "impl Foo {} #[a]",
            "mod a { #[a] }",
            "fn a(x: impl Copy) -> impl Copy { #[a] }",
            "// impl Foo {\n #[a]",
            "const A: &str = \"impl Foo {\"; #[a]",
            "const A: &str = r\"impl {\"; #[a]",
            "impl Foo { const A: u8 = br#\"#[a]\"#[0]; }",
            "make! { #[a] impl A {} }",
        ] {
            assert!(attributes_in_impls(source).is_empty(), "{source}");
        }
    }
    #[test]
    fn the_head_tells_whether_it_is_of_a_trait_and_generic() {
        for (source, is_of_trait, is_generic) in [
            ("impl Foo { #[a] }", false, false),
            ("impl<'a> Foo<'a> { #[a] }", false, false),
            ("impl<T: Fn() -> u8> Foo<T> where T: Copy { #[a] }", false, true),
            ("mod a { impl<const N: usize> Foo<N> { #[b] fn c() {} } } impl Foo { #[a] }", false, false),
            ("unsafe impl Foo for Bar { #[a] }", true, false),
            ("impl<T> Foo for Vec<T> { #[a] }", true, true),
            ("pub trait Foo: Bar { #[a] }", true, true),
            ("impl Foo<fn(u8) -> u8> { #[a] }", false, false),
            ("macro_rules! make { ($a:ident) => { impl $a { #[a] } } }", false, false),
        ] {
            let at = source.rfind("#[a]").unwrap_or_default();
            assert_eq!(attributes_in_impls(source)[&at], Around { is_of_trait, is_generic }, "{source}");
        }
    }
}
