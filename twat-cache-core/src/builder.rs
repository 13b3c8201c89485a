//! Macros that write the common methods of all builders. The methods are inherent, so that users do not have to import
//! a trait.

/// Writes the setters of a builder for a field of type `Expiry`.
#[doc(hidden)]
#[macro_export]
macro_rules! __expiry_setters_0_1 {
    ($($expiry:ident).+) => {
        /// How long a result stays valid after it was stored. By default results never expire. With zero, every call
        /// computes.
        ///
        /// Entries on disk use the wall clock, so that they also expire between two runs of the program. An entry on
        /// disk that was stored with a longer TTL is a miss until its remaining time is at most this TTL.
        pub fn ttl(mut self, ttl: ::std::time::Duration) -> Self {
            self.$($expiry).+.ttl = Some(ttl);
            self
        }

        /// For this long after its TTL, a result is stale: it is still returned, but only while one caller computes it
        /// again, or if the function fails. After that it is a miss. By default a result is a miss when its TTL ends.
        ///
        /// The caller that computes waits for the function, and the others get the stale result at once. A stale result is
        /// never older than the TTL and this time together. [`Memo::forget`]($crate::Memo::forget) removes it.
        pub fn stale(mut self, stale: ::std::time::Duration) -> Self {
            self.$($expiry).+.stale = Some(stale);
            self
        }

        /// The clock for expiry; by default the system's clocks. Tests use a [`ManualClock`]($crate::ManualClock). Only
        /// entries that expire read the clock.
        pub fn clock(mut self, clock: $crate::Clock) -> Self {
            self.$($expiry).+.clock = clock;
            self
        }
    };
}

/// Writes the setter of a builder for a field of type `Option<Duration>`, the patience of the memo.
#[doc(hidden)]
#[macro_export]
macro_rules! __patience_setter_0_1 {
    ($($patience:ident).+) => {
        /// How long a caller waits for another caller's computation of the same result before it computes itself. See
        /// [`Memo::patience`]($crate::Memo::patience) for the default.
        pub fn patience(mut self, patience: ::std::time::Duration) -> Self {
            self.$($patience).+ = Some(patience);
            self
        }
    };
}

/// Writes the setters of a builder for a field `options` of type `Options`.
#[doc(hidden)]
#[macro_export]
macro_rules! __option_setters_0_1 {
    ($(#[$max_bytes:meta])*) => {
        /// The cache directory. The default is `$TWAT_CACHE_DIR`. If that is not set, the default is
        /// `twat-cache/<program name>` in the platform's directory for caches.
        ///
        /// The directory is created with mode 0700 if it does not exist. In a directory that contains other files, the
        /// cache adds its own directory and files, and changes nothing else.
        pub fn dir(mut self, dir: impl ::std::convert::Into<::std::path::PathBuf>) -> Self {
            self.options.dir = Some(dir.into());
            self
        }

        $(#[$max_bytes])*
        pub fn max_bytes(mut self, max_bytes: u64) -> Self {
            self.options.max_bytes = max_bytes;
            self
        }

        /// The version of the results. Results of another version are not found. Change the version when you change the
        /// function, its settings, or the fields of the result's type. Any type that implements `Hash` can be a
        /// version, as in `.version(("v2", QUALITY))`.
        ///
        /// Results of other versions are not deleted. They count towards the limit, and are evicted when they are not
        /// used.
        pub fn version(mut self, version: impl ::std::hash::Hash) -> Self {
            self.options.set_version(version);
            self
        }

        /// Which cache directories are used, by owner and permissions; [`Trust::Owner`]($crate::Trust::Owner) by
        /// default. If the directory is not allowed, the log gets one warning with its path, and memory is used
        /// instead.
        pub fn trust(mut self, trust: $crate::Trust) -> Self {
            self.options.trust = trust;
            self
        }

        $crate::__expiry_setters_0_1!(options.expiry);
        $crate::__patience_setter_0_1!(options.patience);
    };
}

/// Writes the four methods that turn a builder into a memo: with a store of this type, made by this method, and with
/// the patience in this field.
#[doc(hidden)]
#[macro_export]
macro_rules! __wraps_0_1 {
    ($(#[$note:meta])* $store:ty, by $open:ident, patience $($patience:ident).+, where $($bounds:tt)*) => {
        /// Makes a memo of `function`, for [`Memo::call`]($crate::Memo::call). This never fails.
        $(#[$note])*
        pub fn wrap<A, V, F>(self, function: F) -> $crate::Memo<$store, F>
        where
            F: $crate::Function<A, V>,
            $($bounds)*
        {
            let patience = self.$($patience).+;
            $crate::Memo::new(self.$open(), function).with_patience(patience)
        }

        /// Makes a memo of a function that can fail, for [`Memo::try_call`]($crate::Memo::try_call). Only `Ok` is
        /// stored.
        pub fn try_wrap<A, V, E, F>(self, function: F) -> $crate::Memo<$store, F>
        where
            F: $crate::Function<A, ::std::result::Result<V, E>>,
            $($bounds)*
        {
            let patience = self.$($patience).+;
            $crate::Memo::new(self.$open(), function).with_patience(patience)
        }

        /// Makes a memo of an async function, for [`Memo::call_async`]($crate::Memo::call_async).
        pub fn wrap_async<A, V, F>(self, function: F) -> $crate::Memo<$store, F, $crate::Async>
        where
            F: $crate::AsyncFunction<A, V>,
            $($bounds)*
        {
            let patience = self.$($patience).+;
            $crate::Memo::new_async(self.$open(), function).with_patience(patience)
        }

        /// Makes a memo of an async function that can fail, for
        /// [`Memo::try_call_async`]($crate::Memo::try_call_async). Only `Ok` is stored.
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
