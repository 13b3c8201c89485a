//! The methods that the builders of all wrappers have: written once, and inherent to each, so that nobody has to import them.

/// The setters of a builder with a field of type `Expiry`, at the given place.
#[doc(hidden)]
#[macro_export]
macro_rules! __expiry_setters_0_1 {
    ($($expiry:ident).+) => {
        /// Forgets a result this long after it was stored; never by default. Zero means to compute every time.
        ///
        /// What outlives the program goes by the wall clock, so that this holds from one run to the next. An entry that
        /// was stored there under a longer TTL is given out as soon as it has no more than this left.
        pub fn ttl(mut self, ttl: ::std::time::Duration) -> Self {
            self.$($expiry).+.ttl = Some(ttl);
            self
        }

        /// Reads the time from this clock, for tests of what expires. It is read only for entries with a deadline.
        pub fn clock(mut self, clock: $crate::Clock) -> Self {
            self.$($expiry).+.clock = clock;
            self
        }
    };
}

/// The setter of a builder with a field of type `Option<Duration>` for the patience of the memo, at the given place.
#[doc(hidden)]
#[macro_export]
macro_rules! __patience_setter_0_1 {
    ($($patience:ident).+) => {
        /// How long a caller waits for another's computation of the same result before it computes by itself; see
        /// [`Memo::patience`]($crate::Memo::patience).
        pub fn patience(mut self, patience: ::std::time::Duration) -> Self {
            self.$($patience).+ = Some(patience);
            self
        }
    };
}

/// The setters of a builder with a field `options` of type `Options`.
#[doc(hidden)]
#[macro_export]
macro_rules! __option_setters_0_1 {
    ($(#[$max_bytes:meta])*) => {
        /// The cache directory. By default `$TWAT_CACHE_DIR`, or else `twat-cache/<program name>` in the platform's
        /// directory for caches.
        ///
        /// It is made if it does not exist, with mode 0700. One that has something of somebody else's in it is left as it
        /// is, but for what the cache adds: its own directory, and what lies beside that.
        pub fn dir(mut self, dir: impl ::std::convert::Into<::std::path::PathBuf>) -> Self {
            self.options.dir = Some(dir.into());
            self
        }

        $(#[$max_bytes])*
        pub fn max_bytes(mut self, max_bytes: u64) -> Self {
            self.options.max_bytes = max_bytes;
            self
        }

        /// Sets results apart that were made in another way: the version of the function, settings that it uses, or a type
        /// of value whose fields have changed. Anything that hashes will do, as in `.version(("v2", QUALITY))`.
        ///
        /// Results of other versions are not thrown away; they count towards the limit, and go when they are not used.
        pub fn version(mut self, version: impl ::std::hash::Hash) -> Self {
            self.options.set_version(version);
            self
        }

        /// Whose cache directories are used; [`Trust::Owner`]($crate::Trust::Owner) by default. Any other is left alone:
        /// one warning names the path, and memory serves.
        pub fn trust(mut self, trust: $crate::Trust) -> Self {
            self.options.trust = trust;
            self
        }

        $crate::__expiry_setters_0_1!(options.expiry);
        $crate::__patience_setter_0_1!(options.patience);
    };
}

/// The four ways to make a memo of a builder: in a store of this type, that this method makes, with the patience in this
/// field.
#[doc(hidden)]
#[macro_export]
macro_rules! __wraps_0_1 {
    ($(#[$note:meta])* $store:ty, by $open:ident, patience $($patience:ident).+, where $($bounds:tt)*) => {
        /// A memo of `function`, for [`Memo::call`]($crate::Memo::call). This never fails.
        $(#[$note])*
        pub fn wrap<A, V, F>(self, function: F) -> $crate::Memo<$store, F>
        where
            F: $crate::Function<A, V>,
            $($bounds)*
        {
            let patience = self.$($patience).+;
            $crate::Memo::new(self.$open(), function).with_patience(patience)
        }

        /// A memo of a function that can fail, for [`Memo::try_call`]($crate::Memo::try_call). Only `Ok` is kept.
        pub fn try_wrap<A, V, E, F>(self, function: F) -> $crate::Memo<$store, F>
        where
            F: $crate::Function<A, ::std::result::Result<V, E>>,
            $($bounds)*
        {
            let patience = self.$($patience).+;
            $crate::Memo::new(self.$open(), function).with_patience(patience)
        }

        /// A memo of an async function, for [`Memo::call_async`]($crate::Memo::call_async).
        pub fn wrap_async<A, V, F>(self, function: F) -> $crate::Memo<$store, F, $crate::Async>
        where
            F: $crate::AsyncFunction<A, V>,
            $($bounds)*
        {
            let patience = self.$($patience).+;
            $crate::Memo::new_async(self.$open(), function).with_patience(patience)
        }

        /// A memo of an async function that can fail, for [`Memo::try_call_async`]($crate::Memo::try_call_async).
        pub fn try_wrap_async<A, V, E, F>(self, function: F) -> $crate::Memo<$store, F, $crate::Async>
        where
            F: $crate::AsyncFunction<A, ::std::result::Result<V, E>>,
            $($bounds)*
        {
            let patience = self.$($patience).+;
            $crate::Memo::new_async(self.$open(), function).with_patience(patience)
        }
    };
}
