//! Paths are compared by their bytes, anywhere in the arguments: `a/b`, `a//b`, `a/b/` and `/a/b` are four keys.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use twat_cache::{Call, bcache, fcache, mcache, rcache, scache, ucache};
use twat_cache_core::testing::{Counter, PATIENCE};

fn dir() -> PathBuf {
    crate::dir("paths")
}

/// `std` compares and hashes most of these alike.
const PATHS: [&str; 6] = ["a/b", "a//b", "a/b/", "/a/b", "a/./b", "b"];

/// A type that can be a key, but cannot be recorded.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Own(u32);

/// Functions of a path, in any form, which say how often they were computed.
macro_rules! functions {
    ($($name:ident: $attribute:meta, $of:ty, |$path:ident| $make:expr;)+) => {
        $(
            #[$attribute]
            fn $name(argument: $of) -> usize {
                static COMPUTED: Counter = Counter::new();
                let _ = argument;
                COMPUTED.count()
            }
        )+

        #[test]
        fn paths_of_different_bytes_are_different_keys() {
            $(
                for _ in 0..2 {
                    for (expected, path) in PATHS.iter().enumerate() {
                        let $path = Path::new(path);
                        assert_eq!($name($make), expected, "{} of {path}", stringify!($name));
                    }
                }
                assert_eq!($name::len().unwrap(), PATHS.len(), stringify!($name));
            )+
        }
    };
}

type Alias = PathBuf;

functions! {
    borrowed: mcache, &Path, |path| path;
    owned: mcache, PathBuf, |path| path.into();
    alias: mcache, &Alias, |path| &path.into();
    tuple: mcache, (PathBuf, u32), |path| (path.into(), 1);
    beside_own: mcache, &(Own, (PathBuf, Own)), |path| &(Own(1), (path.into(), Own(2)));
    option: mcache, Option<PathBuf>, |path| Some(path.into());
    boxed: mcache, Box<Path>, |path| path.into();
    shared: mcache, &Arc<Path>, |path| &path.into();
    cow: mcache, Cow<'static, Path>, |path| path.to_path_buf().into();
    slice: mcache, &[PathBuf], |path| &[path.into()];
    array: mcache, [PathBuf; 1], |path| [path.into()];
    vector: mcache, Vec<(PathBuf, f64)>, |path| vec![(path.into(), 0.5)];
    text: mcache, &OsStr, |path| path.as_os_str();
    borrowed_on_disk: bcache(dir = dir()), &Path, |path| path;
    owned_on_disk: bcache(dir = dir()), PathBuf, |path| path.into();
    vector_on_disk: bcache(dir = dir()), &[(PathBuf, u32)], |path| &[(path.into(), 1)];
    borrowed_shared: scache(dir = dir()), &Path, |path| path;
    borrowed_in_a_file: fcache(dir = dir()), &Path, |path| path;
    tuple_in_a_file: fcache(dir = dir()), (Own, PathBuf), |path| (Own(1), path.into());
    borrowed_remote: rcache(server = crate::server(), timeout = PATIENCE), &Path, |path| path;
    borrowed_wherever: ucache(dir = dir()), &Path, |path| path;
    option_wherever: ucache(dir = dir()), &Option<PathBuf>, |path| &Some(path.into());
}

#[mcache(key = (path, (scale, 1)))]
fn by_key(path: &Path, scale: f64) -> String {
    format!("{} {scale:?}", path.display())
}

#[fcache(dir = dir(), key = path)]
fn by_key_in_a_file(path: PathBuf) -> String {
    path.display().to_string()
}

#[test]
fn paths_and_floats_in_a_key_option_are_told_apart() {
    for _ in 0..2 {
        for path in PATHS {
            assert_eq!(by_key(Path::new(path), 0.0), format!("{path} 0.0"));
            assert_eq!(by_key(Path::new(path), -0.0), format!("{path} -0.0"));
            assert_eq!(by_key_in_a_file(path.into()), path);
        }
    }
    assert_eq!(by_key::len().unwrap(), 2 * PATHS.len());
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Folder(u32);

impl Folder {
    #[mcache]
    fn has(&self, path: &Path, at: Option<PathBuf>) -> String {
        format!("{} {} {at:?}", self.0, path.display())
    }

    #[fcache(dir = dir())]
    fn entries(&self, path: PathBuf) -> String {
        format!("{} {}", self.0, path.display())
    }
}

#[test]
fn methods_tell_paths_apart() {
    for _ in 0..2 {
        for path in PATHS {
            assert_eq!(Folder(1).has(Path::new(path), Some(path.into())), format!("1 {path} Some({path:?})"));
            assert_eq!(Folder(1).entries(path.into()), format!("1 {path}"));
        }
    }
}

#[test]
fn wrappers_give_the_right_result_for_each_path() {
    let borrowed = mcache().wrap(|path: &Path| path.display().to_string());
    let owned = mcache().wrap(|path: &PathBuf| path.display().to_string());
    let beside = mcache().wrap(|Call((path, n)): &Call<(&Path, &u32)>| format!("{} {n}", path.display()));
    let on_disk =
        bcache("wrapped").dir(dir()).wrap(|Call((path, n)): &Call<(&Path, &u32)>| format!("{} {n}", path.display()));
    for _ in 0..2 {
        for path in PATHS {
            let (text, path) = (format!("{path} 1"), Path::new(path));
            assert_eq!(
                (borrowed.call(path), owned.call(&path.into())),
                (path.display().to_string(), path.display().to_string())
            );
            assert_eq!((beside.call(&Call((path, &1))), on_disk.call(&Call((path, &1)))), (text.clone(), text));
        }
    }
    assert_eq!(on_disk.len().unwrap(), PATHS.len());
}
