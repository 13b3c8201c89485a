//! Where a function stands. An attribute sees nothing but the function itself, and one without `self` and `Self` looks the
//! same in a module and in an `impl`, where no companion may stand beside it. So the source is asked.

use std::fs;

use proc_macro::Span;

/// Whether the code at this place is directly inside of an `impl` or a `trait`. Of code that another macro wrote, and where the
/// source cannot be read, it is not known, and no.
pub(crate) fn is_in_impl(span: Span) -> bool {
    let source = span.local_file().and_then(|path| fs::read_to_string(path).ok());
    source.is_some_and(|source| Scan::new(&source).finds_impl_around(span.line(), span.column()))
}

/// A walk over a source that knows as much of the language as it takes to see which braces are whose.
struct Scan<'a> {
    rest: std::str::Chars<'a>,
    line: usize,
    /// In characters, from 1 on, as the compiler counts.
    column: usize,
    open: Vec<Brace>,
    /// The first word that says what the item is which is being read, as far as it is known.
    item: Option<String>,
    /// How many parentheses and brackets are open.
    depth: usize,
    /// How many `<` are open, in the head of an `impl` or a `trait`.
    angles: usize,
    /// What was read last.
    last: char,
}

/// An open brace.
struct Brace {
    /// Whether it is that of an `impl` or a `trait`.
    is_impl: bool,
    /// What goes on behind it, if it is within parentheses or brackets: the item, and how many are open.
    around: Option<(Option<String>, usize)>,
}

/// What may stand before the word that says what an item is.
const MODIFIERS: [&str; 7] = ["pub", "unsafe", "default", "auto", "const", "async", "crate"];

impl<'a> Scan<'a> {
    fn new(source: &'a str) -> Self {
        Self { rest: source.chars(), line: 1, column: 1, open: Vec::new(), item: None, depth: 0, angles: 0, last: ' ' }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        (self.line, self.column) = if next == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        Some(next)
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn finds_impl_around(mut self, line: usize, column: usize) -> bool {
        while (self.line, self.column) < (line, column) {
            let Some(next) = self.next() else { return false };
            match next {
                '/' if self.peek() == Some('/') => while self.next().is_some_and(|next| next != '\n') {},
                '/' if self.peek() == Some('*') => self.skip_comment(),
                '"' => self.skip_text(),
                '\'' => self.skip_character(),
                '(' | '[' => self.depth += 1,
                ')' | ']' => self.depth = self.depth.saturating_sub(1),
                '{' => {
                    let (item, depth) = (self.item.take(), std::mem::take(&mut self.depth));
                    let is_impl = matches!(item.as_deref(), Some("impl" | "trait"));
                    // A constant, within the head of an `impl` perhaps: `[u8; { 3 }]`, or `Foo<{ 3 }>`.
                    let is_within = depth > 0 || is_impl && self.angles > 0;
                    let around = is_within.then_some((item, depth));
                    if !is_within {
                        self.angles = 0;
                    }
                    self.open.push(Brace { is_impl: is_impl && !is_within, around });
                }
                '}' => {
                    let around = self.open.pop().and_then(|brace| brace.around);
                    (self.item, self.depth) = around.unwrap_or_default();
                }
                ';' if self.depth == 0 => (self.item, self.angles) = (None, 0),
                '<' if self.item.as_deref().is_some_and(|item| item == "impl" || item == "trait") => self.angles += 1,
                '>' if !matches!(self.last, '-' | '=') => self.angles = self.angles.saturating_sub(1),
                next if next.is_alphabetic() || next == '_' => self.word(next),
                _ => {}
            }
            self.last = next;
        }
        self.open.last().is_some_and(|brace| brace.is_impl)
    }

    fn word(&mut self, first: char) {
        let mut word = String::from(first);
        while let Some(next) = self.peek().filter(|next| next.is_alphanumeric() || *next == '_') {
            word.push(next);
            self.next();
        }
        if matches!(word.as_str(), "r" | "br" | "cr") && matches!(self.peek(), Some('"' | '#')) {
            self.skip_raw_text();
        } else if self.item.is_none() && self.depth == 0 && !MODIFIERS.contains(&word.as_str()) {
            self.item = Some(word);
        }
    }

    /// Comments nest.
    fn skip_comment(&mut self) {
        let mut depth = 0;
        let mut last = '/';
        while let Some(next) = self.next() {
            match (last, next) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    last = next;
                    continue;
                }
            }
            if depth == 0 {
                return;
            }
            last = ' ';
        }
    }

    fn skip_text(&mut self) {
        while let Some(next) = self.next() {
            match next {
                '\\' => _ = self.next(),
                '"' => return,
                _ => {}
            }
        }
    }

    fn skip_raw_text(&mut self) {
        let mut hashes = 0;
        while self.peek() == Some('#') {
            hashes += 1;
            self.next();
        }
        // A raw identifier has no quote.
        if self.peek() != Some('"') {
            return;
        }
        self.next();
        while let Some(next) = self.next() {
            if next == '"' && self.rest.clone().take(hashes).filter(|next| *next == '#').count() == hashes {
                return;
            }
        }
    }

    /// A character, or the quote of a lifetime.
    fn skip_character(&mut self) {
        let mut ahead = self.rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('\\'), _) => {
                self.next();
                self.next();
                while self.next().is_some_and(|next| next != '\'') {}
            }
            (Some(_), Some('\'')) => {
                self.next();
                self.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the mark `@` in this source is directly in an `impl`.
    fn is_in_impl(source: &str) -> bool {
        let before = source.split('@').next().unwrap_or_default();
        let line = before.lines().count().max(1);
        let column = before.lines().last().unwrap_or_default().chars().count() + 1;
        Scan::new(source).finds_impl_around(line, column)
    }

    #[test]
    fn only_what_is_directly_in_an_impl_or_trait_is() {
        for source in [
            "impl Foo { @",
            "impl<T: Fn() -> [u8; { 3 }]> Foo<T> where T: Copy { fn a() {} @",
            "impl Foo<{ 1 + 2 }, { 3 }> { @",
            "impl<const N: u8 = { 3 }> Foo<N> { @",
            "impl<T> Foo<T>\nwhere\n    T: Fn() -> u8,\n{\n    @",
            "mod a { pub(crate) trait T { const A: u8 = { 1 }; @",
            "unsafe impl Foo for Bar { /* } */ // }\n @",
            "#[cfg(feature = \"a\")] impl Foo { const B: &str = \"}\\\"}\"; const C: char = '}'; @",
            "impl Foo { fn a<'a>(x: &'a str) -> char { '\\'' } const R: &str = r#\"\"}\"#; @",
        ] {
            assert!(is_in_impl(source), "{source}");
        }
        for source in [
            "@",
            "fn a() { @",
            "impl<T> Foo<T> where T: Copy, { fn b() {} } fn a() { @",
            "impl Foo { fn a() { @",
            "impl Foo {} @",
            "mod a { @",
            "fn a(x: impl Copy) -> impl Copy { @",
            "// impl Foo {\n @",
            "const A: &str = \"impl Foo {\"; @",
            "let a = r\"impl {\"; @",
        ] {
            assert!(!is_in_impl(source), "{source}");
        }
    }
}
