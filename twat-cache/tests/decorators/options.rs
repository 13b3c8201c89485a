//! The options of the attributes: expressions, which the builder of the same name gets.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twat_cache::{Access, Backend, Trust, Verify, bcache, fcache, mcache, scache, ucache};
use twat_cache_core::testing::Counter;

fn dir() -> PathBuf {
    crate::dir("options")
}

static COMPUTED: [Counter; 8] = [const { Counter::new() }; 8];

const FEW: usize = 4;

#[mcache(max_entries = FEW / 4)]
fn one_entry(n: u32) -> u32 {
    n
}

#[mcache(max_entries = 0)]
fn no_entry(n: u32) -> usize {
    let _ = n;
    COMPUTED[0].count()
}

#[bcache(dir = dir(), max_bytes = 0)]
fn no_bytes(n: u32) -> usize {
    let _ = n;
    COMPUTED[1].count()
}

#[test]
fn limits_are_expressions() {
    (0..100).for_each(|n| assert_eq!(one_entry(n), n));
    assert!(one_entry::len().unwrap() <= 1);
    assert_eq!((no_entry(1), no_entry(1), no_bytes(1), no_bytes(1)), (0, 1, 0, 1));
}

#[mcache(ttl = Duration::ZERO)]
fn no_time(n: u32) -> usize {
    let _ = n;
    COMPUTED[2].count()
}

#[mcache(ttl = Duration::from_secs(60 * 60))]
fn some_time(n: u32) -> usize {
    let _ = n;
    COMPUTED[3].count()
}

#[test]
fn a_ttl_is_an_expression() {
    assert_eq!((no_time(1), no_time(1), some_time(1), some_time(1)), (0, 1, 0, 0));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OnlySerde(u32);

#[bcache(dir = dir(), serde)]
fn with_serde(n: u32) -> OnlySerde {
    COMPUTED[4].count();
    OnlySerde(n)
}

#[test]
fn with_the_serde_option_serde_is_enough() {
    assert_eq!((with_serde(1), with_serde(1), COMPUTED[4].get()), (OnlySerde(1), OnlySerde(1), 1));
    assert!(!with_serde::store().has_switched());
}

#[bcache(dir = dir(), compress)]
fn compressed(n: u32) -> Result<Vec<OnlySerde>, String> {
    COMPUTED[6].count();
    Ok(vec![OnlySerde(n); 1000])
}

#[test]
fn results_of_serde_may_be_compressed() {
    assert_eq!((compressed(1), compressed(1)), (Ok(vec![OnlySerde(1); 1000]), Ok(vec![OnlySerde(1); 1000])));
    assert_eq!((COMPUTED[6].get(), compressed::len().unwrap(), compressed::store().has_switched()), (1, 1, false));
}

#[scache(dir = dir(), compress, version = 2, max_bytes = 1 << 20, ttl = Duration::MAX, patience = Duration::from_secs(1))]
fn shared(n: u32) -> Result<Vec<OnlySerde>, String> {
    COMPUTED[7].count();
    Ok(vec![OnlySerde(n); 1000])
}

#[test]
fn a_shared_database_has_the_same_options() {
    assert_eq!((shared(1), shared(1)), (Ok(vec![OnlySerde(1); 1000]), Ok(vec![OnlySerde(1); 1000])));
    assert_eq!((COMPUTED[7].get(), shared::len().unwrap(), shared::store().has_switched()), (1, 1, false));
}

#[fcache(dir = dir(), access = Access::Copy, verify = Verify::Structure, max_bytes = 1 << 30, ttl = Duration::MAX)]
fn copied(n: u8) -> Vec<u8> {
    COMPUTED[5].count();
    vec![n; 1 << 20]
}

#[test]
fn options_say_how_files_are_read() {
    assert_eq!((copied(1).len(), copied(1).len(), COMPUTED[5].get()), (1 << 20, 1 << 20, 1));
    assert!(!copied::view(1).is_mapped());
}

#[ucache(dir = dir(), backend = Backend::File, max_entries = 10, max_bytes = 1 << 20, version = ("any", 'x'), name = "u")]
fn in_files(n: u32) -> u32 {
    n
}

#[ucache(backend = Backend::Memory)]
fn in_memory(n: u32) -> u32 {
    n
}

#[test]
fn the_backend_may_be_chosen() {
    assert_eq!((in_files(1), in_memory(1)), (1, 1));
    assert_eq!((in_files::store().backend(), in_memory::store().backend()), (Backend::File, Backend::Memory));
}

#[fcache(dir = dir(), name = format!("{}-{}", "given", 1))]
fn named(n: u32) -> u32 {
    n
}

#[fcache(dir = dir().join("deeper"))]
fn unnamed(n: u32) -> u32 {
    n
}

#[test]
fn options_say_where_results_are_stored() {
    assert_eq!((named(1), unnamed(1)), (1, 1));
    let path = |path: &Path| path.strip_prefix(dir()).unwrap().to_str().unwrap().to_owned();
    let named = path(named::store().primary().path());
    assert!(named.contains("given-1"), "{named}");
    let unnamed = path(unnamed::store().primary().path());
    assert!(unnamed.starts_with("deeper"), "{unnamed}");
    assert!(unnamed.contains("unnamed"), "{unnamed}");
}

/// The facade by another name.
mod elsewhere {
    pub(crate) use ::twat_cache as cache;
}

#[elsewhere::cache::mcache(crate = elsewhere::cache)]
fn renamed(n: u32) -> u32 {
    n
}

#[mcache(crate = crate::options::elsewhere::cache, max_entries = 3,)]
fn renamed_from_the_root(n: u32) -> u32 {
    n
}

struct Thing;

impl Thing {
    #[bcache(crate = self::elsewhere::cache, dir = dir())]
    fn renamed(n: u32) -> u32 {
        n
    }
}

#[test]
fn the_facade_may_have_another_name() {
    assert_eq!((renamed(1), renamed_from_the_root(2), Thing::renamed(3)), (1, 2, 3));
    assert_eq!(renamed::len().unwrap(), 1);
}

/// A directory that a group may write to.
#[cfg(unix)]
fn of_a_group() -> PathBuf {
    use std::os::unix::fs::DirBuilderExt as _;
    let of_a_group = dir().join("of a group");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&of_a_group).unwrap();
    twat_cache_core::testing::owners::set_mode(&of_a_group, 0o770);
    of_a_group
}

#[cfg(unix)]
#[bcache(dir = of_a_group(), trust = Trust::Group)]
fn trusting_on_disk(n: u32) -> u32 {
    n
}

#[cfg(unix)]
#[scache(dir = of_a_group(), trust = Trust::Group)]
fn trusting_shared(n: u32) -> u32 {
    n
}

#[cfg(unix)]
#[fcache(dir = of_a_group(), trust = Trust::Group)]
fn trusting_in_a_file(n: u32) -> u32 {
    n
}

#[cfg(unix)]
#[ucache(dir = of_a_group(), trust = Trust::Group)]
fn trusting(n: u32) -> u32 {
    n
}

#[cfg(unix)]
#[test]
fn a_group_may_be_trusted() {
    assert_eq!([trusting_on_disk(1), trusting_shared(1), trusting_in_a_file(1), trusting(1)], [1; 4]);
    let switched = [
        trusting_on_disk::store().has_switched(),
        trusting_shared::store().has_switched(),
        trusting_in_a_file::store().has_switched(),
    ];
    assert_eq!(switched, [false; 3]);
    assert_eq!((trusting::store().backend(), trusting::len().unwrap()), (Backend::Shared, 1));
}

#[test]
fn an_option_that_panics_is_evaluated_again() {
    static FAILS: AtomicBool = AtomicBool::new(true);
    fn entries() -> usize {
        assert!(!FAILS.swap(false, Ordering::SeqCst), "not yet");
        10
    }
    #[mcache(max_entries = entries())]
    fn double(n: u32) -> u32 {
        n * 2
    }
    assert!(std::panic::catch_unwind(|| double(1)).is_err());
    assert_eq!(double(1), 2);
}
