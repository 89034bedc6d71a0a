//! What comes over HTTP beside frames: emulation requests, bodies of API calls, queries, headers.
//!
//! Never a panic; and where a request's fate hangs on it (who it is from, which page sent it,
//! whether it carries a credential in its address), the same verdict as a plainer reading gives.
//! The input's first byte chooses which.
mod headers;

use gateway::http::admission::Query;
use gateway::http::api::messages::{HistoryQuery, NewMessage};
use gateway::http::api::moderation::{DisconnectOrder, UnsubscribeOrder};
use serde_json::json;
use wire::{EmulationRequest, Format};

use crate::take::Take;

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut input = Take(input);
    match input.byte() % 6 {
        0 => emulation(Format::Json, input.0),
        1 => emulation(Format::Protobuf, input.0),
        2 => bodies(input.0),
        3 => query(input.0),
        4 => headers::judge(input.0),
        _ => headers::entries(input.0),
    }
}

fn emulation(format: Format, body: &[u8]) {
    let Ok(request) = EmulationRequest::decode_as(format, body) else { return };
    assert_eq!(format!("{request:?}"), "EmulationRequest { .. }", "a session is a secret");
    let Ok(data) = std::str::from_utf8(&request.data) else {
        assert_eq!(format, Format::Protobuf, "JSON holds text alone");
        return;
    };
    let json = json!({"node": request.node, "session": request.session, "data": data});
    let again = EmulationRequest::decode_as(Format::Json, json.to_string().as_bytes());
    assert_eq!(again, Ok(request));
}

fn bodies(body: &[u8]) {
    let _ = serde_json::from_slice::<NewMessage>(body);
    let _ = serde_json::from_slice::<DisconnectOrder>(body);
    let _ = serde_json::from_slice::<UnsubscribeOrder>(body);
    let _ = serde_json::from_slice::<HistoryQuery>(body);
    // What is embedded in a frame is one value in one line, and stays what it is.
    if let Some(once) = Format::Json.payload(body) {
        assert!(!once.contains(&b'\n') && !once.contains(&b'\r'));
        assert_eq!(Format::Json.payload(&once), Some(once.clone()));
        let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        assert_eq!(value(body), value(&once));
    }
}

fn query(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let read = Query::read(text);
    let keys = text.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let secret = keys.map(percent).any(|key| {
        let key = String::from_utf8_lossy(&key).to_lowercase();
        let words =
            ["token", "access_token", "id_token", "refresh_token", "jwt", "authorization", "auth"];
        words.contains(&key.as_str()) || key == "api_key" || key == "apikey"
    });
    // Other alphabets have letters whose small form is a letter of ours: refusing those too is fine.
    assert!(read.secret == secret || !text.is_ascii(), "{text}");
}

/// Takes percent signs out.
fn percent(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        let plain = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match plain.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(value) if bytes[at] == b'%' => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}
