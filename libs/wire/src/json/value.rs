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
use crate::{FILTER_DEPTH_MAX, FILTER_NODES_MAX, FilterNode, Uncarried};

/// A message that is being written.
pub(super) struct Draft {
    text: Vec<u8>,
    /// Whether a payload could not be embedded.
    uncarried: bool,
}

impl Draft {
    /// Begins a message of roughly so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), uncarried: false }
    }

    /// The message, unless it holds what JSON cannot carry.
    pub(super) fn finish(self) -> Result<Bytes, Uncarried> {
        if self.uncarried { Err(Uncarried) } else { Ok(self.text.into()) }
    }

    /// Appends text as it stands.
    pub(super) fn put(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    /// Appends the key of an object's next field.
    pub(super) fn put_key(&mut self, name: &str) {
        if self.text.last() != Some(&b'{') {
            self.put(b",");
        }
        self.put(b"\"");
        self.put(name.as_bytes());
        self.put(b"\":");
    }

    /// Appends a JSON string. No raw newline comes out: they are escaped.
    fn put_text(&mut self, text: &str) {
        // Neither serialising a str nor writing into a Vec can fail.
        let _ = serde_json::to_writer(&mut self.text, text);
    }
}

/// A value of the wire. Its default is the zero value of the protocol.
pub(super) trait Value: Sized + Default {
    /// Whether it is left out.
    fn is_zero(&self) -> bool;
    /// Appends it.
    fn write(&self, out: &mut Draft);
    /// Most objects that a map of such values may hold, however deep.
    const OBJECTS_MAX: usize = usize::MAX;
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
            fn write(&self, out: &mut Draft) {
                // Writing into a Vec cannot fail.
                let _ = write!(out.text, "{self}");
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
    fn write(&self, out: &mut Draft) {
        out.put(if *self { b"true" } else { b"false" });
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Self::deserialize(input)
    }
}

impl Value for String {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn write(&self, out: &mut Draft) {
        out.put_text(self);
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Self::deserialize(input)
    }
}

/// A payload. One that JSON cannot carry spoils the whole message: nothing half true goes out.
impl Value for Bytes {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn write(&self, out: &mut Draft) {
        match payload::embed(self) {
            Some(value) => out.put(&value),
            None => out.uncarried = true,
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
    fn write(&self, out: &mut Draft) {
        match self {
            Some(value) => value.write(out),
            None => out.put(b"null"),
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
    fn write(&self, out: &mut Draft) {
        out.put(b"[");
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                out.put(b",");
            }
            value.write(out);
        }
        out.put(b"]");
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
    fn write(&self, out: &mut Draft) {
        out.put(b"{");
        for (index, (key, value)) in self.iter().enumerate() {
            if index > 0 {
                out.put(b",");
            }
            out.put_text(key);
            out.put(b":");
            value.write(out);
        }
        out.put(b"}");
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let values = if T::OBJECTS_MAX == usize::MAX {
            BTreeMap::<String, Read<T>>::deserialize(input)?
        } else {
            // One more is the map itself.
            measured(input, T::OBJECTS_MAX.saturating_add(1), usize::MAX)?
        };
        Ok(values.into_iter().map(|(key, Read(value))| (key, value)).collect())
    }
}

impl Value for Box<FilterNode> {
    fn is_zero(&self) -> bool {
        false
    }
    fn write(&self, out: &mut Draft) {
        self.as_ref().write(out);
    }
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let Read(node) = measured(input, FILTER_NODES_MAX, FILTER_DEPTH_MAX)?;
        Ok(Self::new(node))
    }
}

/// Reads a value that holds so many objects at most and nests them so deep. An empty object costs
/// three bytes on the wire and a hundred times as much in memory: they are counted before.
fn measured<'de, D, T>(input: D, objects_max: usize, depth_max: usize) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&'de RawValue>::deserialize(input)?;
    let (objects, depth) = payload::objects(raw.get().as_bytes());
    if objects > objects_max || depth > depth_max {
        return Err(D::Error::custom("more than a list may hold"));
    }
    serde_json::from_str(raw.get()).map_err(D::Error::custom)
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
/// written even when zero. `up to` bounds the objects in a map of such messages.
macro_rules! message {
    ($message:ident $(up to $objects:ident)? { $($name:literal => $field:ident $($always:ident)?),* $(,)? }) => {
        impl $crate::json::value::Value for $message {
            fn is_zero(&self) -> bool {
                // A message inside another one is written whenever it is there.
                false
            }
            $(const OBJECTS_MAX: usize = $objects;)?

            fn write(&self, out: &mut Draft) {
                out.put(b"{");
                $(
                    if message!(@ $($always)?) || !self.$field.is_zero() {
                        out.put_key($name);
                        self.$field.write(out);
                    }
                )*
                out.put(b"}");
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
