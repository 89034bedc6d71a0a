//! The header of a token, before anything in it is believed.
//!
//! It chooses a key by its id and one of that key's algorithms, and that is all: headers that
//! bring or name keys of their own, ask for extensions or for encryption are refused.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::jwks::KID_BYTES_MAX;

/// The algorithms that are accepted of an issuer.
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
/// Those that the operator's secret serves.
pub const HMAC: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
/// Those that are accepted of the operator's own tokens.
pub const OWN_ALGORITHMS: [Algorithm; 12] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Members that no access token of ours has.
const REFUSED: [&str; 8] = ["crit", "jku", "jwk", "x5u", "x5c", "enc", "zip", "b64"];
/// What `typ` may say; a log-out token says `logout+jwt`.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// What is taken from a header.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// The key's id; empty if the token names none.
    pub kid: String,
    /// One of those that were to be accepted.
    pub algorithm: Algorithm,
    /// Whether the token says that it is an access token (RFC 9068).
    pub is_access_token: bool,
}

/// Reads the header of `token`, whose algorithm must be one of `accepted`; the text says what is
/// wrong with it.
pub fn read(token: &str, accepted: &[Algorithm]) -> Result<Header, &'static str> {
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("a token has three parts");
    };
    let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| "the token's header is no base64url")?;
    let members: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|_| "the token's header is no JSON object")?;
    if REFUSED.iter().any(|name| members.contains_key(*name)) {
        return Err("the token's header asks for what is never done");
    }
    let algorithm = members
        .get("alg")
        .and_then(Value::as_str)
        .and_then(|name| name.parse().ok())
        .filter(|algorithm| accepted.contains(algorithm))
        .ok_or("the token's algorithm is not accepted")?;
    let is_access_token = match members.get("typ") {
        None => false,
        Some(Value::String(typ)) if TYPES.contains(&typ.to_ascii_lowercase().as_str()) => {
            !typ.eq_ignore_ascii_case("jwt")
        }
        Some(_) => return Err("the token's header has another type"),
    };
    match members.get("kid") {
        None => Ok(Header { kid: String::new(), algorithm, is_access_token }),
        Some(Value::String(kid)) if !kid.is_empty() && kid.len() <= KID_BYTES_MAX => {
            Ok(Header { kid: kid.clone(), algorithm, is_access_token })
        }
        Some(_) => Err("the token's key has no name"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn header(value: &Value) -> Result<Header, &'static str> {
        let token = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(value.to_string()));
        read(&token, &ALGORITHMS)
    }

    #[test]
    fn a_plain_header_is_read() {
        let read = header(&json!({"alg": "RS256", "typ": "JWT", "kid": "k"})).unwrap();
        assert_eq!((read.kid.as_str(), read.algorithm), ("k", Algorithm::RS256));
        assert!(!read.is_access_token);
        assert!(
            header(&json!({"alg": "ES256", "typ": "at+JWT", "kid": "k"})).unwrap().is_access_token
        );
    }

    #[test]
    fn texts_that_are_no_token_are_refused() {
        for text in ["", ".", "..", "a.b", "a.b.c.d", "e30=.e30.x", "bnVsbA.e30.x", "W10.e30.x"] {
            assert!(read(text, &OWN_ALGORITHMS).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secrets_algorithms_pass_only_where_a_secret_may_be() {
        let token = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS512"}"#));
        assert_eq!(read(&token, &OWN_ALGORITHMS).unwrap().algorithm, Algorithm::HS512);
        assert!(read(&token, &ALGORITHMS).is_err());
        for name in ["none", "None", "", "hs256", "HS224", "ES256K", "ES512", "dir"] {
            let header = URL_SAFE_NO_PAD.encode(json!({"alg": name}).to_string());
            assert!(read(&format!("{header}.e30.c2ln"), &OWN_ALGORITHMS).is_err(), "{name}");
        }
    }

    #[test]
    fn only_asymmetric_algorithms_of_the_list_pass() {
        for name in ["none", "None", "", "HS256", "hs256", "RS384", "RS512", "ES384", "rs256"] {
            assert!(header(&json!({"alg": name, "kid": "k"})).is_err(), "{name}");
        }
        assert!(header(&json!({"alg": ["RS256"], "kid": "k"})).is_err());
        assert!(header(&json!({"kid": "k"})).is_err());
    }
}
