//! How single values are read and written: numbers, text, payloads, lists, maps, messages.
//!
//! A message is declared once, as a table of its fields (`message!`), and both directions follow
//! from that table. Zero values are left out unless marked `always`; `null` reads as absent.
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use super::payload;

/// A value of the wire. Its default is the zero value of the protocol.
pub(super) trait Value: Sized + Default {
    /// Whether it is left out.
    fn is_zero(&self) -> bool;
    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads it; `null` was dealt with before.
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error>;
}

/// Lets serde read a [`Value`].
pub(super) struct Read<T>(pub(super) T);

impl<'de, T: Value> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        T::read(input).map(Self)
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Value for $number {
            fn is_zero(&self) -> bool {
                *self == 0
            }
            fn write(&self, out: &mut Vec<u8>) {
                // Writing into a Vec cannot fail.
                let _ = write!(out, "{self}");
            }
            fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                Self::deserialize(input)
            }
        }
    )*};
}

numbers! { u32 u64 i32 i64 }

impl Value for bool {
    fn is_zero(&self) -> bool {
        !self
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Self::deserialize(input)
    }
}

impl Value for String {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self, out);
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Self::deserialize(input)
    }
}

/// A payload. One that JSON cannot carry is written as `null`, so that it never breaks its frame;
/// whoever must know asks `Format::payload` before.
impl Value for Bytes {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn write(&self, out: &mut Vec<u8>) {
        match payload::embed(self) {
            Some(value) => out.extend_from_slice(&value),
            None => out.extend_from_slice(b"null"),
        }
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(input)?;
        let value = payload::compact(raw.get().as_bytes())
            .ok_or_else(|| D::Error::custom("a payload that nests too deep"))?;
        Ok(Self::copy_from_slice(&value))
    }
}

impl<T: Value> Value for Option<T> {
    fn is_zero(&self) -> bool {
        self.is_none()
    }
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        T::read(input).map(Some)
    }
}

impl<T: Value> Value for Vec<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            value.write(out);
        }
        out.push(b']');
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let values = Vec::<Read<T>>::deserialize(input)?;
        Ok(values.into_iter().map(|Read(value)| value).collect())
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, (key, value)) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(key, out);
            out.push(b':');
            value.write(out);
        }
        out.push(b'}');
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let values = BTreeMap::<String, Read<T>>::deserialize(input)?;
        Ok(values.into_iter().map(|(key, Read(value))| (key, value)).collect())
    }
}

/// Appends a JSON string. No raw newline comes out: they are escaped.
fn write_text(text: &str, out: &mut Vec<u8>) {
    // Neither serialising a str nor writing into a Vec can fail.
    let _ = serde_json::to_writer(out, text);
}

/// Appends the key of an object's next field.
pub(super) fn write_key(name: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Reads a key as its index in a table of names; `None` for one that is not there.
pub(super) struct KeyOf(pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for KeyOf {
    type Value = Option<usize>;
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf {
    type Value = Option<usize>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

/// Declares the fields of a message: name on the wire, field of the struct, `always` if it is
/// written even when zero.
macro_rules! message {
    ($message:ty { $($name:literal => $field:ident $($always:ident)?),* $(,)? }) => {
        impl $crate::json::value::Value for $message {
            fn is_zero(&self) -> bool {
                // A message inside another one is written whenever it is there.
                false
            }

            fn write(&self, out: &mut Vec<u8>) {
                out.push(b'{');
                $(
                    if message!(@ $($always)?) || !self.$field.is_zero() {
                        $crate::json::value::write_key($name, out);
                        self.$field.write(out);
                    }
                )*
                out.push(b'}');
            }

            fn read<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $message;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A>(self, mut map: A) -> Result<Self::Value, A::Error>
                    where
                        A: serde::de::MapAccess<'de>,
                    {
                        const NAMES: &[&str] = &[$($name),*];
                        let mut message = <$message>::default();
                        let mut seen = 0u32;
                        while let Some(key) = map.next_key_seed($crate::json::value::KeyOf(NAMES))? {
                            let Some(index) = key else {
                                map.next_value::<serde::de::IgnoredAny>()?;
                                continue;
                            };
                            if seen & (1 << index) != 0 {
                                return Err(serde::de::Error::custom("a field stands twice"));
                            }
                            seen |= 1 << index;
                            $(
                                if NAMES[index] == $name {
                                    if let Some($crate::json::value::Read(value)) = map.next_value()? {
                                        message.$field = value;
                                    }
                                    continue;
                                }
                            )*
                        }
                        Ok(message)
                    }
                }
                input.deserialize_map(Fields)
            }
        }
    };
    (@) => { false };
    (@ always) => { true };
}

pub(super) use message;
