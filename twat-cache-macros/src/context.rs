//! Whether a function is in an `impl`, which cannot have a companion. An attribute sees the function alone, and a function without
//! `self` and `Self` looks the same in a module. So the source around it is read.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Mutex, PoisonError};

use proc_macro::Span;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What may stand before the word that tells what an item is.
const MODIFIERS: [&str; 6] = ["pub", "unsafe", "default", "auto", "const", "async"];

/// Stands before each attribute of a source, followed by the offset of the attribute.
const MARK: &str = "__an_attribute_at_";

/// Whether the attribute at this span is directly in an `impl` or a `trait`. If the source cannot be read, it is not.
pub(crate) fn is_in_impl(span: Span) -> bool {
    /// The last source, and what was found in it: the next function is often in the same file.
    static LAST: Mutex<(String, BTreeSet<usize>)> = Mutex::new((String::new(), BTreeSet::new()));
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
    attribute.is_some_and(|attribute| last.1.contains(&attribute))
}

/// The offsets of all attributes in a source that are directly in an `impl` or a `trait`.
fn attributes_in_impls(source: &str) -> BTreeSet<usize> {
    let (mut marked, mut end, mut found) = (String::new(), 0, BTreeSet::new());
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
        find(tokens, false, &mut found);
    }
    found
}

/// Finds the marks in a part of a source that is directly in an `impl` or a `trait`, or not.
fn find(tokens: TokenStream, is_in_impl: bool, found: &mut BTreeSet<usize>) {
    let is_impl = |item: &Option<String>| matches!(item.as_deref(), Some("impl" | "trait"));
    // The first word of the item that is being read, how many `<` are open in its head, and the last sign.
    let (mut item, mut angles, mut last) = (None, 0_usize, ' ');
    for token in tokens {
        let before = std::mem::replace(&mut last, ' ');
        match token {
            TokenTree::Ident(word) => {
                let word = word.to_string();
                if let Some(offset) = word.strip_prefix(MARK) {
                    found.extend(offset.parse::<usize>().ok().filter(|_| is_in_impl));
                } else if item.is_none() && !MODIFIERS.contains(&&*word) {
                    item = Some(word);
                }
            }
            TokenTree::Group(group) => {
                // The head of an item may have a constant in braces: `Foo<{ 3 }>`.
                let is_body = group.delimiter() == Delimiter::Brace && angles == 0;
                find(group.stream(), if is_body { is_impl(&item) } else { is_in_impl }, found);
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
                Vec::from_iter(attributes_in_impls(source)),
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
}
