//! How a right to one room is written in JSON: in tokens, and in answers of the operator's backend.
//!
//! What is asked by `override` for recovery and positioning every room with a log has anyway.
//! Errors are plain words: whose mistake it was the caller knows.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::{Grant, INFO_BYTES_MAX, Overrides, RoomName};
use serde::Deserialize;
use serde_json::Value;

use crate::token::claims::{is_time, milliseconds};

/// Most rooms that one connection may be subscribed to by the server.
pub const ROOMS_MAX: usize = 128;
/// Deepest JSON that is shown or told.
pub const JSON_DEPTH_MAX: usize = 32;

/// A value, or what is wrong with it.
pub type Sound<T> = Result<T, &'static str>;

/// What is said of one room, beside its name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Options {
    info: Value,
    b64info: Option<String>,
    data: Value,
    b64data: Option<String>,
    expire_at: Option<f64>,
    #[serde(rename = "override")]
    overrides: Option<Override>,
}

/// What is to be other than the room's kind says.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Override {
    presence: Option<Flag>,
    join_leave: Option<Flag>,
    force_push_join_leave: Option<Flag>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Flag {
    value: bool,
}

impl Options {
    /// The right to `room`.
    pub fn grant(&self, room: RoomName) -> Sound<Grant> {
        Ok(Grant {
            room,
            until_ms: end(self.expire_at)?,
            info: json(&self.info, self.b64info.as_deref())?,
            data: json(&self.data, self.b64data.as_deref())?,
            overrides: overrides(self.overrides),
        })
    }
}

/// An end of its own, Unix milliseconds; 0 is none.
pub fn end(expire_at: Option<f64>) -> Sound<Option<i64>> {
    match expire_at {
        None => Ok(None),
        Some(0.0) => Ok(None),
        Some(at) if is_time(at) => Ok(Some(milliseconds(at))),
        Some(_) => Err("expire_at is no time"),
    }
}

/// What a wish means.
pub fn overrides(wish: Option<Override>) -> Overrides {
    let wish = wish.unwrap_or_default();
    let value = |flag: Option<Flag>| flag.map(|flag| flag.value);
    Overrides {
        presence: value(wish.presence),
        join_leave: value(wish.join_leave),
        push_join_leave: value(wish.force_push_join_leave),
    }
}

/// JSON in one line, or from its twin in base64; empty for `null` and nothing. Binary content is
/// refused: half of the clients could not be shown it.
pub fn json(value: &Value, base64: Option<&str>) -> Sound<Bytes> {
    let decoded;
    let value = match base64.filter(|text| !text.is_empty()) {
        None => value,
        Some(text) => {
            let bytes = STANDARD.decode(text).ok();
            decoded = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            decoded.as_ref().ok_or("base64 that holds no JSON")?
        }
    };
    if value.is_null() {
        return Ok(Bytes::new());
    }
    let text = value.to_string();
    if text.len() > INFO_BYTES_MAX || depth(value) > JSON_DEPTH_MAX {
        return Err("JSON that is too large to be shown");
    }
    Ok(text.into())
}

/// How deep a value nests; the parser has bounded it already.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
