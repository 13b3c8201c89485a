//! What a review of the attributes has found.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use twat_cache::{bcache, fcache, mcache, ucache};

fn dir() -> PathBuf {
    crate::dir("reviewed")
}

#[test]
fn paths_that_std_hashes_alike_are_told_apart_by_all() {
    #[mcache]
    fn in_memory(path: &Path) -> String {
        path.display().to_string()
    }
    #[bcache(dir = dir())]
    fn on_disk(path: &Path) -> String {
        path.display().to_string()
    }
    #[fcache(dir = dir())]
    fn in_a_file(path: &Path, n: u32) -> String {
        format!("{} {n}", path.display())
    }
    #[ucache(dir = dir())]
    fn wherever(path: PathBuf, scale: f64) -> String {
        format!("{} {scale}", path.display())
    }
    for path in ["/etc/x", "etc/x", "a/bcdefg/h", "abcde/f/gh"] {
        assert_eq!(in_memory(Path::new(path)), path);
        assert_eq!(on_disk(Path::new(path)), path);
        assert_eq!(in_a_file(Path::new(path), 1), format!("{path} 1"));
        assert_eq!(wherever(path.into(), 1.0), format!("{path} 1"));
    }
}

#[test]
fn what_a_key_names_may_be_consumed_by_the_body() {
    #[mcache(key = text)]
    fn itself(text: String) -> String {
        text + "x"
    }
    #[mcache(key = (a, b))]
    fn parts((a, b): (u32, String)) -> String {
        b + &a.to_string()
    }
    #[mcache(key = x.0)]
    fn bound(x @ (_a, _b): (u32, u32)) -> u32 {
        x.1
    }
    for _ in 0..2 {
        assert_eq!((itself("a".into()), parts((1, "a".into())), bound((1, 2))), ("ax".into(), "a1".into(), 2));
    }
}

#[test]
fn types_of_one_name_share_no_memo() {
    trait Named {
        const NAME: &str;
    }
    struct Of<T>(PhantomData<T>);
    impl<T: Named> Of<T>
    where
        T: Sized,
    {
        #[mcache]
        fn name(n: u32) -> String {
            format!("{}{n}", T::NAME)
        }
    }
    let one = {
        struct Local;
        impl Named for Local {
            const NAME: &str = "one";
        }
        Of::<Local>::name(1)
    };
    let other = {
        struct Local;
        impl Named for Local {
            const NAME: &str = "other";
        }
        Of::<Local>::name(1)
    };
    assert_eq!((one, other), ("one1".into(), "other1".into()));
}

#[test]
fn an_option_that_panics_is_asked_again() {
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
