//! Feature `macros`: an attribute for each enabled wrapper, and the derive for those on disk. Without other features there
//! are none, and it compiles.

/// Checks all attributes that are compiled in.
pub(crate) fn check(lasting: usize) -> Result<(), twat_cache::Error> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static COMPUTED: AtomicUsize = AtomicUsize::new(0);

    /// Computes something and counts its runs.
    fn compute(text: &str) -> usize {
        COMPUTED.fetch_add(1, Ordering::Relaxed);
        text.len()
    }
    #[cfg(feature = "mem")]
    #[twat_cache::mcache]
    fn in_memory(text: &str) -> usize {
        compute(text)
    }
    #[cfg(feature = "disk")]
    #[twat_cache::bcache]
    fn in_database(text: &str) -> usize {
        compute(text)
    }
    #[cfg(feature = "shared")]
    #[twat_cache::scache]
    fn in_shared(text: &str) -> usize {
        compute(text)
    }
    #[cfg(feature = "file")]
    #[twat_cache::fcache]
    fn in_files(text: &str) -> usize {
        compute(text)
    }
    #[cfg(feature = "remote")]
    #[twat_cache::rcache(timeout = std::time::Duration::from_secs(20))]
    fn on_server(text: &str) -> usize {
        compute(text)
    }

    #[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
    values::check(lasting);

    compute("by none of them");
    let mut expected = 1;
    for _ in 0..2 {
        #[cfg(feature = "mem")]
        assert_eq!((in_memory("text"), in_memory::len()?), (4, 1));
        #[cfg(feature = "disk")]
        assert_eq!((in_database("text"), in_database::len()?), (4, 1));
        #[cfg(feature = "shared")]
        assert_eq!((in_shared("text"), in_shared::len()?), (4, 1));
        #[cfg(feature = "file")]
        assert_eq!((in_files("text"), in_files::len()?), (4, 1));
        #[cfg(feature = "remote")]
        assert_eq!((on_server("text"), on_server::len()?), (4, 1));
    }
    expected += usize::from(cfg!(feature = "mem"));
    let persistent = [cfg!(feature = "disk"), cfg!(feature = "shared"), cfg!(feature = "file")];
    expected += lasting * persistent.map(usize::from).iter().sum::<usize>();
    #[cfg(feature = "remote")]
    (expected += crate::remote::lasting(lasting));
    assert_eq!(COMPUTED.load(Ordering::Relaxed), expected);
    Ok(())
}

/// Values of types that this program defines.
#[cfg(any(feature = "disk", feature = "shared", feature = "file", feature = "remote", feature = "ucache"))]
mod values {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use twat_cache::CacheValue;

    #[derive(CacheValue, Clone, Debug, PartialEq)]
    struct Place {
        name: String,
        inhabitants: usize,
        neighbours: HashMap<String, Distance>,
    }

    #[derive(CacheValue, Clone, Debug, PartialEq)]
    enum Distance {
        Unknown,
        Kilometres { straight: u32, by_road: Option<u32> },
    }

    static COMPUTED: AtomicUsize = AtomicUsize::new(0);

    fn place(name: &str) -> Place {
        COMPUTED.fetch_add(1, Ordering::Relaxed);
        let augsburg = Distance::Kilometres { straight: 65, by_road: Some(80) };
        let neighbours =
            HashMap::from([("Augsburg".to_owned(), augsburg), ("Blaubeuren".to_owned(), Distance::Unknown)]);
        Place { name: name.to_owned(), inhabitants: 128_000, neighbours }
    }

    #[cfg(feature = "disk")]
    #[twat_cache::bcache]
    fn in_database(name: &str) -> Place {
        place(name)
    }
    #[cfg(feature = "shared")]
    #[twat_cache::scache]
    fn in_shared(name: &str) -> Place {
        place(name)
    }
    #[cfg(feature = "file")]
    #[twat_cache::fcache]
    fn in_files(name: &str) -> Place {
        place(name)
    }
    #[cfg(feature = "remote")]
    #[twat_cache::rcache(timeout = std::time::Duration::from_secs(20))]
    fn on_server(name: &str) -> Place {
        place(name)
    }
    #[cfg(feature = "ucache")]
    #[twat_cache::ucache]
    fn wherever(name: &str) -> Place {
        place(name)
    }

    pub(super) fn check(lasting: usize) {
        let expected = place("Ulm");
        for _ in 0..2 {
            #[cfg(feature = "disk")]
            assert_eq!(in_database("Ulm"), expected);
            #[cfg(feature = "shared")]
            assert_eq!(in_shared("Ulm"), expected);
            #[cfg(feature = "file")]
            assert_eq!(in_files("Ulm"), expected);
            #[cfg(feature = "remote")]
            assert_eq!(on_server("Ulm"), expected);
            #[cfg(feature = "ucache")]
            assert_eq!(wherever("Ulm"), expected);
        }
        let persistent = [cfg!(feature = "disk"), cfg!(feature = "shared"), cfg!(feature = "file")];
        let wherever = if persistent.contains(&true) { lasting } else { 1 };
        let computed = 1 + lasting * persistent.map(usize::from).iter().sum::<usize>();
        let computed = computed + wherever * usize::from(cfg!(feature = "ucache"));
        #[cfg(feature = "remote")]
        let computed = computed + crate::remote::lasting(lasting);
        assert_eq!(COMPUTED.load(Ordering::Relaxed), computed);
    }
}
