//! Scenario 19: damaged files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use twat_cache_core::testing::files::{Content, Files, Random};
use twat_cache_core::testing::within;

use super::cell::{Amount, Cell, Fault, Rule, Session, round};
use super::number_of;
use super::wrappers::Kind;

const KEYS: u64 = 12;

pub(crate) const FAULTS: [Fault; 7] = [
    fault("a file deleted", |test| test.each(|_, _, _| vec![("deleted".to_owned(), Deed::Delete)])),
    fault("a file emptied", |test| test.each(|_, _, content| vec![cut(content, 0)])),
    fault("a file cut short", |test| {
        test.each(|test, _, content| {
            let mut lengths = test.places(content);
            lengths.push(content.len().saturating_sub(1));
            lengths.into_iter().map(|len| cut(content, len)).collect()
        });
    }),
    fault("a byte flipped", |test| {
        test.each(|test, _, content| {
            let places = test.places(content);
            places.into_iter().map(|at| flip(content, at, 1 << test.random.below(8))).collect()
        });
    }),
    fault("a file replaced by another", |test| {
        test.each(|test, path, _| {
            let others: Vec<_> = test.files.paths().into_iter().filter(|other| other != path).collect();
            // One that is likely to be of its kind, and one that is not.
            let beside = others.iter().filter(|other| other.iter().count() == path.iter().count());
            let beside: Vec<_> = beside.cloned().collect();
            let of = |others: &[PathBuf], random: &mut Random| {
                let other = &others[random.below(others.len())];
                (format!("replaced by {}", other.display()), Deed::Write(test.files.0[other].clone()))
            };
            let deeds = [&beside, &others].into_iter().filter(|others| !others.is_empty());
            deeds.map(|others| of(others, &mut test.random)).collect()
        });
    }),
    fault("a file or entry of another format version", |test| {
        test.each(|_, path, content| match () {
            () if is_entry(path) || path.ends_with("meta") => vec![flip(content, 6, 3)],
            () if path.ends_with("bcache/version") => vec![flip(content, content.bytes.len() - 1, 7)],
            () => Vec::new(),
        });
        test.changed_entries();
    }),
    fault("garbage in place of a file", |test| {
        test.each(|test, _, content| {
            let mut garbage = |len: usize| {
                let garbage = (0..len).map(|_| test.random.next().to_le_bytes()[0]).collect();
                (format!("replaced by {len} bytes of garbage"), Deed::Write(Content::new(garbage)))
            };
            vec![garbage(content.len()), garbage(content.len() + 5000)]
        });
    }),
];

type Damaging = fn(&mut Test<'_>);

/// Functions of functions cannot be made when compiling; so each fault has a number, which leads to what it does.
const fn fault(name: &'static str, damage: Damaging) -> Fault {
    todo(name, damage)
}
