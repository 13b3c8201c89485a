//! Feature `macros`: an attribute for each enabled wrapper. Without other features there are none, and it compiles.

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
    #[cfg(feature = "file")]
    #[twat_cache::fcache]
    fn in_files(text: &str) -> usize {
        compute(text)
    }

    compute("by none of them");
    let mut expected = 1;
    for _ in 0..2 {
        #[cfg(feature = "mem")]
        assert_eq!((in_memory("text"), in_memory::len()?), (4, 1));
        #[cfg(feature = "disk")]
        assert_eq!((in_database("text"), in_database::len()?), (4, 1));
        #[cfg(feature = "file")]
        assert_eq!((in_files("text"), in_files::len()?), (4, 1));
    }
    expected += usize::from(cfg!(feature = "mem"));
    expected += lasting * (usize::from(cfg!(feature = "disk")) + usize::from(cfg!(feature = "file")));
    assert_eq!(COMPUTED.load(Ordering::Relaxed), expected);
    Ok(())
}
