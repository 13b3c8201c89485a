use std::any::{TypeId, type_name};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU8, NonZeroU16, NonZeroU32,
    NonZeroU64, NonZeroU128, NonZeroUsize,
};
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::CacheValue;

/// The shape of a type: the names, the order and the types of its fields and variants, and of those inside them.
///
/// rkyv stores values without names. So a value is decoded only if its type still has the shape that it was stored with:
/// the shape is a part of the [namespace](crate::Namespace) of the entries.
///
/// ```
/// use twat_cache_core::persist::Shape;
///
/// assert_eq!(Shape::of::<Vec<(u32, Option<f64>)>>(), "Vec<(u32,Option<f64>)>");
/// ```
#[derive(Debug, Default)]
pub struct Shape {
    text: String,
    seen: Vec<TypeId>,
}

impl Shape {
    /// Returns the shape of a type as text.
    pub fn of<V: CacheValue>() -> String {
        let mut shape = Self::default();
        shape.part::<V>();
        shape.text
    }

    /// Adds a word, such as the name of a field.
    pub fn word(&mut self, word: &str) {
        self.text.push_str(word);
    }

    /// Adds the shape of a type inside this one. Of a type that occurs again, it adds the number. So a type may contain
    /// itself.
    pub fn part<V: CacheValue>(&mut self) {
        self.once(TypeId::of::<V>(), V::describe);
    }

    /// Adds what `describe` adds, or the number of this type if it was there before.
    pub fn once(&mut self, id: TypeId, describe: impl FnOnce(&mut Self)) {
        if let Some(number) = self.seen.iter().position(|seen| *seen == id) {
            self.word(&format!("#{number}"));
        } else {
            self.seen.push(id);
            describe(self);
        }
    }

    /// Returns the text so far.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Types that contain no other.
macro_rules! leaves {
    ($($type:ty)+) => {
        $(
            impl CacheValue for $type {
                fn describe(shape: &mut Shape) {
                    shape.word(stringify!($type));
                }
            }
        )+
    };
}

leaves! {
    () bool char u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64
    NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64 NonZeroU128 NonZeroI8 NonZeroI16 NonZeroI32 NonZeroI64 NonZeroI128
    String Box<str> Arc<str> Rc<str>
    Duration IpAddr Ipv4Addr Ipv6Addr SocketAddr SocketAddrV4 SocketAddrV6
}

/// Numbers of which rkyv stores 32 bits.
macro_rules! narrow {
    ($($type:ty => $stored:ty;)+) => {
        $(
            impl CacheValue for $type {
                fn describe(shape: &mut Shape) {
                    shape.word(stringify!($type));
                }

                #[inline]
                fn fits(&self) -> bool {
                    <$stored>::try_from(*self).is_ok()
                }
            }
        )+
    };
}

narrow! {
    usize => u32;
    isize => i32;
    NonZeroUsize => NonZeroU32;
    NonZeroIsize => NonZeroI32;
}

/// Types that contain other types.
macro_rules! containers {
    ($($name:literal [$($parameters:tt)*] $type:ty, $part:ty $(, $other:ty)?; |$this:ident| $fits:expr;)+) => {
        $(
            impl<$($parameters)*> CacheValue for $type {
                fn describe(shape: &mut Shape) {
                    shape.word(concat!($name, "<"));
                    shape.part::<$part>();
                    $(
                        shape.word(",");
                        shape.part::<$other>();
                    )?
                    shape.word(">");
                }

                #[inline]
                fn fits(&self) -> bool {
                    let $this = self;
                    $fits
                }
            }
        )+
    };
}

containers! {
    "Option" [T: CacheValue] Option<T>, T; |this| this.as_ref().is_none_or(T::fits);
    "Result" [T: CacheValue, E: CacheValue] Result<T, E>, T, E; |this| this.as_ref().map_or_else(E::fits, T::fits);
    "Box" [T: CacheValue] Box<T>, T; |this| T::fits(this);
    "Arc" [T: CacheValue] Arc<T>, T; |this| T::fits(this);
    "Rc" [T: CacheValue] Rc<T>, T; |this| T::fits(this);
    "Box[]" [T: CacheValue] Box<[T]>, T; |this| all_fit(this.len(), this.iter());
    "Arc[]" [T: CacheValue] Arc<[T]>, T; |this| all_fit(this.len(), this.iter());
    "Rc[]" [T: CacheValue] Rc<[T]>, T; |this| all_fit(this.len(), this.iter());
    "Vec" [T: CacheValue] Vec<T>, T; |this| all_fit(this.len(), this.iter());
    "VecDeque" [T: CacheValue] VecDeque<T>, T; |this| all_fit(this.len(), this.iter());
    "BTreeSet" [T: CacheValue<Archived: Ord> + Ord] BTreeSet<T>, T; |this| all_fit(this.len(), this.iter());
    "BTreeMap" [K: CacheValue<Archived: Ord> + Ord, V: CacheValue] BTreeMap<K, V>, K, V;
        |this| this.iter().all(|(key, value)| key.fits() && value.fits());
    "HashSet" [T: CacheValue<Archived: Hash + Eq> + Hash + Eq, S: BuildHasher + Default + 'static] HashSet<T, S>, T;
        |this| this.iter().all(T::fits);
    "HashMap" [K: CacheValue<Archived: Hash + Eq> + Hash + Eq, V: CacheValue, S: BuildHasher + Default + 'static]
        HashMap<K, V, S>, K, V; |this| this.iter().all(|(key, value)| key.fits() && value.fits());
    "Range" [T: CacheValue] Range<T>, T; |this| this.start.fits() && this.end.fits();
    "RangeInclusive" [T: CacheValue + PartialOrd] RangeInclusive<T>, T;
        |this| this.start().fits() && this.end().fits() && !is_used_up(this);
}

/// Whether rkyv can store these elements. It stores 32 bits of their number, which only elements without size exceed.
#[inline]
fn all_fit<'a, T: CacheValue>(len: usize, mut elements: impl Iterator<Item = &'a T>) -> bool {
    u32::try_from(len).is_ok() && elements.all(T::fits)
}

/// Whether an iteration of this range has come to its end. rkyv does not store that.
fn is_used_up<T: PartialOrd>(range: &RangeInclusive<T>) -> bool {
    range.is_empty() && range.start() <= range.end()
}

impl<T: CacheValue, const N: usize> CacheValue for [T; N] {
    fn describe(shape: &mut Shape) {
        shape.word("[");
        shape.part::<T>();
        shape.word(&format!(";{N}]"));
    }

    #[inline]
    fn fits(&self) -> bool {
        self.iter().all(T::fits)
    }
}

/// It stores nothing, but its type may say what the value beside it means.
impl<T: Send + Sync + ?Sized + 'static> CacheValue for PhantomData<T> {
    fn describe(shape: &mut Shape) {
        shape.word(type_name::<Self>());
    }
}

macro_rules! tuples {
    ($($first:ident $index:tt $(, $name:ident $other:tt)*;)+) => {
        $(
            impl<$first: CacheValue $(, $name: CacheValue)*> CacheValue for ($first, $($name,)*) {
                fn describe(shape: &mut Shape) {
                    shape.word("(");
                    shape.part::<$first>();
                    $(
                        shape.word(",");
                        shape.part::<$name>();
                    )*
                    shape.word(")");
                }

                #[inline]
                fn fits(&self) -> bool {
                    self.$index.fits() $(&& self.$other.fits())*
                }
            }
        )+
    };
}

tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_names_all_types_in_their_order() {
        assert_eq!(Shape::of::<(bool, [u8; 3])>(), "(bool,[u8;3])");
        assert_eq!(Shape::of::<HashMap<String, Result<Box<[f32]>, ()>>>(), "HashMap<String,Result<Box[]<f32>,()>>");
        // A type that occurs again has the number of its first occurrence.
        assert_eq!(Shape::of::<(u8, Vec<u8>, Vec<u8>)>(), "(u8,Vec<#1>,#2)");
    }

    #[test]
    fn numbers_and_lengths_of_more_than_32_bits_do_not_fit() {
        assert!((u64::MAX, usize::from(u16::MAX)).fits());
        assert!(!Some(vec![(1_usize, 1_usize << 33)]).fits());
        assert!(!BTreeMap::from([(String::new(), -1_isize << 40)]).fits());
        assert!(!vec![(); 1 << 33].fits());
    }

    #[test]
    fn a_range_that_was_used_up_does_not_fit() {
        let mut range = 1..=2_u8;
        assert!(range.fits() && RangeInclusive::new(2, 1).fits() && range.next().is_some() && range.fits());
        assert!(range.next().is_some() && !range.fits(), "rkyv stores only its ends");
    }
}
