use std::hash::{Hash, Hasher};

use ordered_float::OrderedFloat;

use crate::Args;

/// A type with floats in it, which has neither `Hash` nor `Eq`: it is hashed and compared with every NaN equal to the others,
/// and 0.0 to -0.0.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache's key",
    label = "cannot be a cache key",
    note = "arguments need `Hash + Eq + Clone` and no borrows inside; `f32` and `f64` will do, also in slices, vectors and options, and in tuples with numbers and texts",
    note = "leave an argument out of the key by `skip(…)`, or say what the key is by `key = (…)`, which only needs `Hash`"
)]
pub trait Floating {
    /// What is kept: hashed as this is.
    type Owned: Floating + PartialEq + Clone + Send + Sync + 'static;

    /// Hashes it, and its owned form alike.
    fn hash_floats<H: Hasher>(&self, state: &mut H);
    /// Whether `owned` was made of it.
    fn matches_floats(&self, owned: &Self::Owned) -> bool;
    /// Makes what is kept.
    fn to_owned_floats(&self) -> Self::Owned;
}

/// An argument with floats in it, to be looked up.
#[derive(Debug)]
pub struct Floats<'a, T: ?Sized>(pub(super) &'a T);

/// Its owned form, as the key of an entry.
#[derive(Clone, Debug)]
pub struct Owned<T>(T);

impl<T: Floating + ?Sized> Hash for Floats<'_, T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_floats(state);
    }
}

impl<T: Floating + ?Sized> Args for Floats<'_, T> {
    type Owned = Owned<T::Owned>;

    #[inline]
    fn matches(&self, owned: &Owned<T::Owned>) -> bool {
        self.0.matches_floats(&owned.0)
    }

    #[inline]
    fn to_key(&self) -> Owned<T::Owned> {
        Owned(self.0.to_owned_floats())
    }
}

impl<T: Floating> Hash for Owned<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_floats(state);
    }
}

impl<T: PartialEq> PartialEq for Owned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

// What is compared are `OrderedFloat`s, and what has `Eq` anyway.
impl<T: PartialEq> Eq for Owned<T> {}

macro_rules! floats {
    ($($float:ty),+) => {
        $(
            impl Floating for $float {
                type Owned = OrderedFloat<$float>;

                #[inline]
                fn hash_floats<H: Hasher>(&self, state: &mut H) {
                    OrderedFloat(*self).hash(state);
                }

                #[inline]
                fn matches_floats(&self, owned: &Self::Owned) -> bool {
                    OrderedFloat(*self) == *owned
                }

                #[inline]
                fn to_owned_floats(&self) -> Self::Owned {
                    OrderedFloat(*self)
                }
            }
        )+
    };
}

floats!(f32, f64);

/// What stands beside floats, in a tuple with them, say.
macro_rules! others {
    ($($other:ty),+ $(,)?) => {
        $(
            impl Floating for $other {
                type Owned = Self;

                #[inline]
                fn hash_floats<H: Hasher>(&self, state: &mut H) {
                    self.hash(state);
                }

                #[inline]
                fn matches_floats(&self, owned: &Self) -> bool {
                    self == owned
                }

                #[inline]
                fn to_owned_floats(&self) -> Self {
                    self.clone()
                }
            }
        )+
    };
}

others!(std::ffi::OsString, std::time::Duration);
others!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, bool, char, String, ());
others!(OrderedFloat<f32>, OrderedFloat<f64>);

impl<T: Floating> Floating for [T] {
    type Owned = Vec<T::Owned>;

    #[inline]
    fn hash_floats<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        for part in self {
            part.hash_floats(state);
        }
    }

    #[inline]
    fn matches_floats(&self, owned: &Self::Owned) -> bool {
        self.len() == owned.len() && self.iter().zip(owned).all(|(part, owned)| part.matches_floats(owned))
    }

    fn to_owned_floats(&self) -> Self::Owned {
        self.iter().map(T::to_owned_floats).collect()
    }
}

impl Floating for str {
    type Owned = String;

    #[inline]
    fn hash_floats<H: Hasher>(&self, state: &mut H) {
        self.hash(state);
    }

    #[inline]
    fn matches_floats(&self, owned: &String) -> bool {
        self == owned
    }

    fn to_owned_floats(&self) -> String {
        self.to_owned()
    }
}

/// What is hashed and compared as what it leads to.
macro_rules! pointers {
    ($($pointer:ty),+) => {
        $(
            impl<T: Floating + ?Sized> Floating for $pointer {
                type Owned = T::Owned;

                #[inline]
                fn hash_floats<H: Hasher>(&self, state: &mut H) {
                    (**self).hash_floats(state);
                }

                #[inline]
                fn matches_floats(&self, owned: &Self::Owned) -> bool {
                    (**self).matches_floats(owned)
                }

                fn to_owned_floats(&self) -> Self::Owned {
                    (**self).to_owned_floats()
                }
            }
        )+
    };
}

pointers!(&T, Box<T>, std::sync::Arc<T>, std::rc::Rc<T>);

/// What is hashed and compared as a slice of its parts.
macro_rules! slices {
    ($([$($parameters:tt)*] $slice:ty),+) => {
        $(
            impl<T: Floating, $($parameters)*> Floating for $slice {
                type Owned = Vec<T::Owned>;

                #[inline]
                fn hash_floats<H: Hasher>(&self, state: &mut H) {
                    self[..].hash_floats(state);
                }

                #[inline]
                fn matches_floats(&self, owned: &Self::Owned) -> bool {
                    self[..].matches_floats(owned)
                }

                fn to_owned_floats(&self) -> Self::Owned {
                    self[..].to_owned_floats()
                }
            }
        )+
    };
}

slices!([] Vec<T>, [const N: usize] [T; N]);

impl<T: Floating> Floating for Option<T> {
    type Owned = Option<T::Owned>;

    #[inline]
    fn hash_floats<H: Hasher>(&self, state: &mut H) {
        state.write_u8(u8::from(self.is_some()));
        if let Some(part) = self {
            part.hash_floats(state);
        }
    }

    #[inline]
    fn matches_floats(&self, owned: &Self::Owned) -> bool {
        match (self, owned) {
            (Some(part), Some(owned)) => part.matches_floats(owned),
            (None, None) => true,
            _ => false,
        }
    }

    #[inline]
    fn to_owned_floats(&self) -> Self::Owned {
        self.as_ref().map(T::to_owned_floats)
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),+))+) => {
        $(
            impl<$($name: Floating),+> Floating for ($($name,)+) {
                type Owned = ($($name::Owned,)+);

                #[inline]
                fn hash_floats<State: Hasher>(&self, state: &mut State) {
                    $(self.$index.hash_floats(state);)+
                }

                #[inline]
                fn matches_floats(&self, owned: &Self::Owned) -> bool {
                    $(self.$index.matches_floats(&owned.$index))&&+
                }

                #[inline]
                fn to_owned_floats(&self) -> Self::Owned {
                    ($(self.$index.to_owned_floats(),)+)
                }
            }
        )+
    };
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Namespace;

    fn same<T: Floating + ?Sized>(one: &T, other: &T) -> bool {
        let [key, other_key] = [one, other].map(|value| Floats(value).to_key());
        let same = Floats(one).matches(&other_key);
        assert_eq!(same, key == other_key);
        assert!(Floats(one).matches(&key));
        let namespace = Namespace::process();
        assert_eq!(namespace.digest(&Floats(one)), namespace.digest(&key), "borrowed and owned hash alike");
        same
    }

    #[test]
    fn every_nan_is_the_same_and_so_are_both_zeros() {
        assert!(same(&f64::NAN, &-f64::NAN) && same(&0.0, &-0.0) && same(&f32::NAN, &-f32::NAN));
        assert!(!same(&1.0, &1.5) && !same(&f64::INFINITY, &f64::NEG_INFINITY));
    }

    #[test]
    fn floats_inside_of_other_types_are_compared_alike() {
        assert!(same(&[0.0, f64::NAN][..], &[-0.0, f64::NAN]));
        assert!(!same(&[1.0][..], &[1.0, 2.0]));
        assert!(same(&Some(0.0), &Some(-0.0)) && !same(&Some(0.0), &None) && same(&None::<f32>, &None));
        assert!(same(&(1_u32, 0.0, true), &(1, -0.0, true)) && !same(&(1_u32, 0.0), &(2, 0.0)));
        assert!(same(&vec![Some((0.0_f32, 'x'))], &vec![Some((-0.0, 'x'))]));
        assert!(same(&[[1.0, 0.0]], &[[1.0, -0.0]]));
        assert!(same(&(Box::new(0.0), "a"), &(Box::new(-0.0), "a")) && !same(&(0.0, "a"), &(0.0, "b")));
    }
}
