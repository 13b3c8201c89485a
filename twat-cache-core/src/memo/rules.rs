use std::time::Duration;

use crate::{Memo, Ruled, Store};

/// Rules that decide by the result whether and for how long it is stored.
impl<S, F, P> Memo<S, F, P> {
    /// Stores a result only if `keep` returns true for it. Other results are returned and not stored, and a stored result
    /// for their key is removed.
    ///
    /// ```
    /// use twat_cache_core::{LruStore, Memo};
    ///
    /// let find = Memo::new(LruStore::new(100), |name: &str| (name == "tea").then_some(3)).keep_if(Option::is_some);
    /// assert_eq!(find.call("silk"), None); // the next call asks again
    /// assert_eq!(find.call("tea"), Some(3));
    /// assert_eq!(find.len()?, 1);
    /// # Ok::<(), twat_cache_core::Error>(())
    /// ```
    ///
    /// Of a `Result`, `keep` sees the value in `Ok`. If `keep` panics, the result is returned and not stored.
    pub fn keep_if(self, keep: impl Fn(&S::Value) -> bool + Send + Sync + 'static) -> Memo<Ruled<S>, F, P>
    where
        S: Store,
    {
        self.with_store(|store| Ruled::new(store, move |value| (!keep(value)).then_some(Duration::ZERO)))
    }

    /// Gives each result a TTL of its own, in place of that of the store. With zero, the result is returned and not stored.
    ///
    /// ```
    /// use std::time::Duration;
    /// use twat_cache_core::{LruStore, Memo};
    ///
    /// struct Page {
    ///     max_age: u64,
    /// }
    ///
    /// let fetch = |_url: &str| std::sync::Arc::new(Page { max_age: 60 });
    /// let store = LruStore::<std::sync::Arc<Page>>::new(100);
    /// let page = Memo::new(store, fetch).ttl_by(|page| Duration::from_secs(page.max_age));
    /// assert_eq!(page.call("/").max_age, 60);
    /// ```
    ///
    /// Of a `Result`, `ttl` sees the value in `Ok`. If `ttl` panics, the result is returned and not stored. A store with the
    /// option `stale` returns the result for that time longer.
    pub fn ttl_by(self, ttl: impl Fn(&S::Value) -> Duration + Send + Sync + 'static) -> Memo<Ruled<S>, F, P>
    where
        S: Store,
    {
        self.with_store(|store| {
            let stale = store.stale().unwrap_or_default();
            Ruled::new(store, move |value| {
                let ttl = ttl(value);
                Some(if ttl.is_zero() { ttl } else { ttl.saturating_add(stale) })
            })
        })
    }
}
