//! Finds options whose content MessagePack cannot distinguish from nothing.

use std::any::type_name;
use std::fmt::{self, Display};

use serde::ser::{self, Serialize, Serializer};

use crate::{Error, ErrorKind};

/// Returns an error if the value contains, at any depth, an option with nothing in it: `Some(None)` or `Some(())`. Also if
/// values in it are inside each other too deep.
pub(super) fn check_options<V: Serialize>(value: &V) -> Result<(), Error> {
    value.serialize(Search { is_in_option: false, depth: 0 }).map_err(|Found(why)| {
        let why = why.unwrap_or_else(|| {
            format!(
                "MessagePack has one form for `Some(None)`, `Some(())` and `None`, and this `{}` has one of them",
                type_name::<V>()
            )
        });
        Error::new(ErrorKind::Codec, "encode a value").because(why)
    })
}

/// How many values may be inside each other, options and newtypes included. The stack has room for that many calls, also when
/// they are decoded by code that is not optimised. It is twice the limit of `serde_json`.
const DEEPEST: u16 = 256;

/// Why the search ended: with the message of the type's own code, or with `None` if there is such an option.
#[derive(Debug)]
struct Found(Option<String>);

impl Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("an option with nothing in it"))
    }
}

impl std::error::Error for Found {}

impl ser::Error for Found {
    fn custom<T: Display>(message: T) -> Self {
        Self(Some(message.to_string()))
    }
}

/// A serializer that writes nothing.
#[derive(Clone, Copy)]
struct Search {
    /// Whether the value is directly in an option.
    is_in_option: bool,
    /// How many values it is inside.
    depth: u16,
}

impl Search {
    /// A search in what is inside this value.
    fn inside(self) -> Result<Self, Found> {
        Self { is_in_option: false, ..self }.deeper()
    }

    fn deeper(self) -> Result<Self, Found> {
        if self.depth == DEEPEST {
            return Err(Found(Some(format!("more than {DEEPEST} values are inside each other"))));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

type Searched = Result<(), Found>;

macro_rules! scalars {
    ($($name:ident $type:ty;)+) => {
        $(
            fn $name(self, _: $type) -> Searched {
                Ok(())
            }
        )+
    };
}

macro_rules! compounds {
    ($($name:ident($($argument:ty),*);)+) => {
        $(
            fn $name(self, $(_: $argument),*) -> Result<Self, Found> {
                self.inside()
            }
        )+
    };
}

impl Serializer for Search {
    type Ok = ();
    type Error = Found;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    scalars! {
        serialize_bool bool;
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_i128 i128;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
        serialize_u128 u128;
        serialize_f32 f32;
        serialize_f64 f64;
        serialize_char char;
        serialize_str &str;
        serialize_bytes &[u8];
        serialize_unit_struct &'static str;
    }

    compounds! {
        serialize_seq(Option<usize>);
        serialize_tuple(usize);
        serialize_tuple_struct(&'static str, usize);
        serialize_tuple_variant(&'static str, u32, &'static str, usize);
        serialize_map(Option<usize>);
        serialize_struct(&'static str, usize);
        serialize_struct_variant(&'static str, u32, &'static str, usize);
    }

    fn serialize_none(self) -> Searched {
        if self.is_in_option { Err(Found(None)) } else { Ok(()) }
    }

    fn serialize_unit(self) -> Searched {
        self.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Searched {
        value.serialize(Self { is_in_option: true, ..self }.deeper()?)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Searched {
        // MessagePack writes the content alone.
        value.serialize(self.deeper()?)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Searched {
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Searched {
        value.serialize(self.inside()?)
    }

    fn is_human_readable(&self) -> bool {
        // As MessagePack.
        false
    }
}

/// Values inside others.
macro_rules! inside {
    ($($trait:ident: $name:ident($($argument:ty),*) $(, $other:ident)?;)+) => {
        $(
            impl ser::$trait for Search {
                type Ok = ();
                type Error = Found;

                fn $name<T: Serialize + ?Sized>(&mut self, $(_: $argument,)* value: &T) -> Searched {
                    value.serialize(*self)
                }

                $(
                    fn $other<T: Serialize + ?Sized>(&mut self, value: &T) -> Searched {
                        value.serialize(*self)
                    }
                )?

                fn end(self) -> Searched {
                    Ok(())
                }
            }
        )+
    };
}

inside! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeMap: serialize_key(), serialize_value;
    SerializeStruct: serialize_field(&'static str);
    SerializeStructVariant: serialize_field(&'static str);
}
