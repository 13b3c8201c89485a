//! Stores that wrap other stores, pointers among them.

use std::sync::Arc;

use super::{KeyedStore, Store, ViewStore};

/// Writes the methods of a store that wraps another store, inside an `impl` of [`Store`], [`KeyedStore`] or
/// [`ViewStore`].
///
/// The wrapper has the other store at `|this| expression`, or in each variant of an `enum`. It forwards default methods too. Without that, a wrapper would ignore the inner store's own implementation of them.
#[doc(hidden)]
#[macro_export]
macro_rules! __forward_0_1 {
    (Store, $($to:tt)+) => {
        $crate::__forward_0_1! { @ [$crate::Store] {$($to)+};
            fn len() -> ::std::result::Result<usize, $crate::Error>;
            fn clear() -> ::std::result::Result<(), $crate::Error>;
            fn len_async() -> $crate::Answer<'_, usize>;
            fn clear_async() -> $crate::Answer<'_, ()>;
            fn ttl() -> ::std::option::Option<::std::time::Duration>;
            fn stale() -> ::std::option::Option<::std::time::Duration>;
            fn describe() -> ::std::string::String;
            fn suppressed_errors() -> u64;
            fn evictions() -> u64;
            fn is_shared() -> bool;
            fn is_current(stamp: $crate::Stamp) -> bool;
            fn settle() -> ();
        }
    };
    (KeyedStore<$key:ty>, $($to:tt)+) => {
        $crate::__forward_0_1! { @ [$crate::KeyedStore::<$key>] {$($to)+};
            fn get(key: &$key) -> ::std::result::Result<::std::option::Option<Self::Value>, $crate::Error>;
            fn insert(key: &$key, value: &Self::Value) -> ::std::result::Result<(), $crate::Error>;
            fn remove(key: &$key) -> ::std::result::Result<bool, $crate::Error>;
            fn get_with_ttl(key: &$key)
                -> ::std::result::Result<::std::option::Option<$crate::Found<Self::Value>>, $crate::Error>;
            fn insert_with_ttl(key: &$key, value: &Self::Value, ttl: ::std::option::Option<::std::time::Duration>)
                -> ::std::result::Result<(), $crate::Error>;
            fn begin(key: &$key) -> $crate::Ticket;
            fn insert_begun(key: &$key, value: &Self::Value, ttl: ::std::option::Option<::std::time::Duration>,
                ticket: $crate::Ticket) -> ::std::result::Result<bool, $crate::Error>;
            fn is_outdated(key: &$key, ticket: $crate::Ticket) -> bool;
            fn stamp(key: &$key) -> ::std::option::Option<$crate::Stamp>;
            fn claim(key: &$key, patience: ::std::time::Duration) -> $crate::Claim;
            fn get_async<'a>(key: &$key) -> $crate::Answer<'a, ::std::option::Option<Self::Value>>;
            fn insert_async<'a>(key: &$key, value: &Self::Value) -> $crate::Answer<'a, ()>;
            fn insert_with_ttl_async<'a>(key: &$key, value: &Self::Value, ttl: ::std::option::Option<::std::time::Duration>)
                -> $crate::Answer<'a, ()>;
            fn remove_async<'a>(key: &$key) -> $crate::Answer<'a, bool>;
            fn get_with_ttl_async<'a>(key: &$key)
                -> $crate::Answer<'a, ::std::option::Option<$crate::Found<Self::Value>>>;
            fn begin_async<'a>(key: &$key) -> $crate::Answer<'a, $crate::Ticket>;
            fn insert_begun_async<'a>(key: &$key, value: &Self::Value, ttl: ::std::option::Option<::std::time::Duration>,
                ticket: $crate::Ticket) -> $crate::Answer<'a, bool>;
            fn claim_async<'a>(key: &$key, patience: ::std::time::Duration) -> $crate::Answer<'a, $crate::Claim>;
        }
    };
    (ViewStore<$key:ty>, $($to:tt)+) => {
        $crate::__forward_0_1! { @ [$crate::ViewStore::<$key>] {$($to)+};
            fn view(key: &$key) -> ::std::result::Result<::std::option::Option<Self::View>, $crate::Error>;
            fn view_with_ttl(key: &$key)
                -> ::std::result::Result<::std::option::Option<$crate::Found<Self::View>>, $crate::Error>;
            fn view_async<'a>(key: &$key) -> $crate::Answer<'a, ::std::option::Option<Self::View>>;
            fn view_with_ttl_async<'a>(key: &$key)
                -> $crate::Answer<'a, ::std::option::Option<$crate::Found<Self::View>>>;
            fn to_view(value: &Self::Value) -> ::std::result::Result<Self::View, $crate::Error>;
        }
    };
    (@ $trait:tt $to:tt; $(fn $name:ident$(<$life:lifetime>)?($($argument:ident: $type:ty),*) -> $output:ty;)+) => {
        $(
            #[inline]
            fn $name$(<$life>)?(&$($life)? self, $($argument: $type),*) -> $output {
                $crate::__forward_0_1!(@@ $trait $name $to self ($($argument),*))
            }
        )+
    };
    (@@ [$($trait:tt)*] $name:ident {|$this:ident| $inner:expr} $self:ident ($($argument:ident),*)) => {{
        let $this = $self;
        $($trait)*::$name(&$inner, $($argument),*)
    }};
    (@@ $trait:tt $name:ident {enum $($variant:ident),+} $self:ident $arguments:tt) => {
        match $self {
            $(Self::$variant(store) => $crate::__forward_0_1!(@@ $trait $name {|store| *store} store $arguments),)+
        }
    };
}

macro_rules! forward_pointers {
    ($($pointer:ty),+) => {
        $(
            impl<S: Store + ?Sized> Store for $pointer {
                type Value = S::Value;

                __forward_0_1!(Store, |this| (**this));
            }

            impl<K: ?Sized, S: KeyedStore<K> + ?Sized> KeyedStore<K> for $pointer {
                __forward_0_1!(KeyedStore<K>, |this| (**this));
            }

            impl<K: ?Sized, S: ViewStore<K> + ?Sized> ViewStore<K> for $pointer {
                type View = S::View;

                __forward_0_1!(ViewStore<K>, |this| (**this));
            }
        )+
    };
}

forward_pointers!(&S, Box<S>, Arc<S>);
