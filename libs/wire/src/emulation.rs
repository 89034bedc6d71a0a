//! The request by which a client sends a frame when its stream goes only one way.
//!
//! In JSON the frame is a string, in Protobuf it is bytes. `Debug` shows none of it: the session is
//! a secret, and the frame holds payloads and tokens.
use std::fmt;

use bytes::Bytes;
use prost::Message;
use serde::Deserialize;

use crate::{DecodeError, Format};

/// A frame for a connection that is open elsewhere.
#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
pub struct EmulationRequest {
    /// The gateway that holds the session.
    #[prost(string, tag = "1")]
    pub node: String,
    /// The session's secret.
    #[prost(string, tag = "2")]
    pub session: String,
    /// The frame, in the format of the connection.
    #[prost(bytes = "bytes", tag = "3")]
    pub data: Bytes,
}

#[derive(Deserialize)]
struct Json {
    node: String,
    session: String,
    data: String,
}

impl EmulationRequest {
    /// Reads a request's body.
    pub fn decode_as(format: Format, body: &[u8]) -> Result<Self, DecodeError> {
        match format {
            Format::Json => {
                let json = serde_json::from_slice::<Json>(body);
                let Json { node, session, data } = json.map_err(|_| DecodeError::Malformed)?;
                Ok(Self { node, session, data: data.into() })
            }
            Format::Protobuf => Self::decode(body).map_err(|_| DecodeError::Malformed),
        }
    }
}

impl fmt::Debug for EmulationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulationRequest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_say_the_same_and_debug_says_nothing() {
        let json = br#"{"session":"secret","node":"g1","data":"{\"id\":1}\n{}","more":[1]}"#;
        let protobuf = b"\x0a\x02g1\x12\x06secret\x1a\x0b{\"id\":1}\n{}";
        let expected = EmulationRequest {
            node: "g1".to_owned(),
            session: "secret".to_owned(),
            data: Bytes::from_static(b"{\"id\":1}\n{}"),
        };
        for (format, body) in [(Format::Json, &json[..]), (Format::Protobuf, protobuf)] {
            let read = EmulationRequest::decode_as(format, body).unwrap();
            assert_eq!(read, expected);
            assert!(!format!("{read:?}").contains("secret"));
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for body in
            [&b""[..], b"{}", b"[]", b"{\"node\":\"a\",\"session\":1,\"data\":\"\"}", b"\xff"]
        {
            assert_eq!(
                EmulationRequest::decode_as(Format::Json, body),
                Err(DecodeError::Malformed)
            );
        }
        for body in [&b"\x0a\x7f"[..], b"{}", b"\xff"] {
            assert_eq!(
                EmulationRequest::decode_as(Format::Protobuf, body),
                Err(DecodeError::Malformed)
            );
        }
    }
}
