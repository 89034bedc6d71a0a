//! One key of an issuer's set, ready to verify, with the algorithms that it may be used for.
//!
//! The binding of algorithm and key is made here, from the key alone: a token's header can
//! choose among a key's algorithms, never add one. Symmetric keys, keys for encryption, weak
//! curves and keys without an id are left out.
use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use openidconnect::core::CoreJsonWebKeySet;
use serde_json::Value;

/// Longest key id in bytes, in a set and in a token.
pub const KID_BYTES_MAX: usize = 128;
/// Most keys that a set may have.
pub const KEYS_MAX: usize = 50;

/// Keys by their id.
pub type KeyMap = HashMap<String, Arc<VerifyingKey>>;

/// Why a key set is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSet {
    /// It is larger than any honest one.
    #[error("the set has {0} keys, more than {KEYS_MAX}")]
    TooMany(usize),
    /// Nothing in it can verify a token.
    #[error("the set has no key that signs with RS256, PS256, ES256 or EdDSA")]
    NoneUsable,
    /// It is no key set.
    #[error("not a JSON object with a list `keys`")]
    Unreadable,
}

/// A public key and what it may verify.
#[derive(Debug)]
pub struct VerifyingKey {
    /// The key.
    pub key: DecodingKey,
    algorithms: &'static [Algorithm],
}

impl VerifyingKey {
    /// Whether tokens with `algorithm` may be verified by this key.
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    fn from_jwk(jwk: &Jwk, served: fn(&Jwk) -> Option<&'static [Algorithm]>) -> Option<Self> {
        // A set that also serves encryption must mark every key; without a mark all are for signing.
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let algorithms = served(jwk)?;
        Some(Self { key: DecodingKey::from_jwk(jwk).ok()?, algorithms })
    }
}

/// What a key of an issuer may be used for.
fn of_issuer(jwk: &Jwk) -> Option<&'static [Algorithm]> {
    match (&jwk.algorithm, jwk.common.key_algorithm) {
        (AlgorithmParameters::RSA(_), None) => Some(&[Algorithm::RS256, Algorithm::PS256]),
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS256)) => Some(&[Algorithm::RS256]),
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Some(&[Algorithm::PS256]),
        (AlgorithmParameters::EllipticCurve(ec), None | Some(KeyAlgorithm::ES256))
            if ec.curve == EllipticCurve::P256 =>
        {
            Some(&[Algorithm::ES256])
        }
        (AlgorithmParameters::OctetKeyPair(pair), None | Some(KeyAlgorithm::EdDSA))
            if pair.curve == EllipticCurve::Ed25519 =>
        {
            Some(&[Algorithm::EdDSA])
        }
        _ => None,
    }
}

/// What a key of the operator may be used for: the longer hashes too.
fn of_operator(jwk: &Jwk) -> Option<&'static [Algorithm]> {
    use Algorithm::{ES384, PS256, PS384, PS512, RS256, RS384, RS512};
    match (&jwk.algorithm, jwk.common.key_algorithm) {
        (AlgorithmParameters::RSA(_), declared) => match declared {
            None => Some(&[RS256, RS384, RS512, PS256, PS384, PS512]),
            Some(KeyAlgorithm::RS384) => Some(&[RS384]),
            Some(KeyAlgorithm::RS512) => Some(&[RS512]),
            Some(KeyAlgorithm::PS384) => Some(&[PS384]),
            Some(KeyAlgorithm::PS512) => Some(&[PS512]),
            Some(_) => of_issuer(jwk),
        },
        (AlgorithmParameters::EllipticCurve(ec), None | Some(KeyAlgorithm::ES384))
            if ec.curve == EllipticCurve::P384 =>
        {
            Some(&[ES384])
        }
        _ => of_issuer(jwk),
    }
}

/// The usable keys of a set. Of two keys with one id the first counts.
pub fn usable(set: &CoreJsonWebKeySet) -> Result<KeyMap, BadSet> {
    if set.keys().len() > KEYS_MAX {
        return Err(BadSet::TooMany(set.keys().len()));
    }
    let values = set.keys().iter().filter_map(|key| serde_json::to_value(key).ok());
    collect(values, of_issuer)
}

/// The usable keys of an issuer's set, given as JSON.
pub fn read(text: &str) -> Result<KeyMap, BadSet> {
    let set: CoreJsonWebKeySet = serde_json::from_str(text).map_err(|_| BadSet::Unreadable)?;
    usable(&set)
}

/// The usable keys of an operator's own set, given as JSON.
pub fn usable_own(text: &str) -> Result<KeyMap, BadSet> {
    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_str(text).map_err(|_| BadSet::Unreadable)?;
    if set.keys.len() > KEYS_MAX {
        return Err(BadSet::TooMany(set.keys.len()));
    }
    collect(set.keys.into_iter(), of_operator)
}

fn collect(
    values: impl Iterator<Item = Value>,
    served: fn(&Jwk) -> Option<&'static [Algorithm]>,
) -> Result<KeyMap, BadSet> {
    let mut keys = KeyMap::new();
    for value in values {
        // A key of a sort that is not known is passed over: others may be of use.
        let Ok(jwk) = serde_json::from_value::<Jwk>(value) else { continue };
        let Some(kid) = jwk.common.key_id.clone() else { continue };
        if kid.is_empty() || kid.len() > KID_BYTES_MAX {
            continue;
        }
        if let Some(key) = VerifyingKey::from_jwk(&jwk, served) {
            keys.entry(kid).or_insert_with(|| Arc::new(key));
        }
    }
    if keys.is_empty() { Err(BadSet::NoneUsable) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn ec(kid: &str) -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": kid, "use": "sig", "alg": "ES256"})
    }

    fn read(keys: Vec<Value>) -> Result<KeyMap, BadSet> {
        usable(&serde_json::from_value(json!({ "keys": keys })).unwrap())
    }

    #[test]
    fn a_key_serves_its_own_algorithm_alone() {
        let keys = read(vec![ec("a")]).unwrap();
        assert!(keys["a"].serves(Algorithm::ES256));
        for other in [Algorithm::RS256, Algorithm::HS256, Algorithm::ES384, Algorithm::EdDSA] {
            assert!(!keys["a"].serves(other), "{other:?}");
        }
    }

    #[test]
    fn keys_for_other_uses_are_left_out() {
        let mut encryption = ec("enc");
        encryption["use"] = json!("enc");
        let symmetric =
            json!({"kty": "oct", "k": "AAAA", "kid": "oct", "use": "sig", "alg": "HS256"});
        let mut wrong_algorithm = ec("alg");
        wrong_algorithm["alg"] = json!("HS256");
        let mut nameless = ec("");
        nameless.as_object_mut().unwrap().remove("kid");
        let long = ec(&"k".repeat(KID_BYTES_MAX + 1));
        let p384 =
            json!({"kty": "EC", "crv": "P-384", "x": X, "y": Y, "kid": "p384", "use": "sig"});
        let strange = json!({"kty": "AKP", "kid": "pq", "pub": "AA"});
        let all =
            vec![encryption, symmetric, wrong_algorithm, nameless, long, p384, strange, ec("good")];
        let keys = read(all).unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["good"]);
    }

    #[test]
    fn a_set_without_use_or_alg_is_read() {
        let key = json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": "plain"});
        assert!(read(vec![key]).unwrap()["plain"].serves(Algorithm::ES256));
    }

    #[test]
    fn an_operators_key_serves_the_longer_hashes_and_never_a_secrets() {
        let rsa = |alg: Option<&str>| {
            let mut key = json!({"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"});
            if let Some(alg) = alg {
                key["alg"] = json!(alg);
            }
            usable_own(&json!({ "keys": [key] }).to_string())
        };
        let serves = |alg| rsa(alg).map(|keys| keys["r"].algorithms.len()).unwrap_or_default();
        assert_eq!(serves(None), 6);
        for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
            assert_eq!(serves(Some(alg)), 1, "{alg}");
        }
        for alg in ["HS256", "ES256", "none"] {
            assert_eq!(serves(Some(alg)), 0, "{alg}");
        }
        for family in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512, Algorithm::ES256] {
            assert!(!rsa(None).unwrap()["r"].serves(family), "{family:?}");
        }
    }

    #[test]
    fn bad_sets_are_refused_whole() {
        assert_eq!(read(vec![]).unwrap_err(), BadSet::NoneUsable);
        let many = (0..=KEYS_MAX).map(|n| ec(&format!("k{n}"))).collect::<Vec<_>>();
        assert_eq!(read(many).unwrap_err(), BadSet::TooMany(KEYS_MAX + 1));
    }
}
