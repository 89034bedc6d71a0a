//! Tokens and key sets: nothing is let in that was not signed with a key that is trusted, nothing
//! panics, and what a signed token claims stays within bounds.
//!
//! The input's first byte chooses: 0 a token as text; 1 claims, signed with the operator's secret
//! here; 2 a header and, after a zero byte, claims, signed likewise; 3 a key set. The private halves
//! of `keys/keys.json` exist no more: of its keys there are three good tokens and never a fourth.
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use auth::jwks::{KEYS_MAX, KID_BYTES_MAX, KeyMap, KeyRing, key};
use auth::token::own::OwnTokens;
use auth::token::{TokenVerifier, Trusted};
use auth::{IssuerConfig, TokensConfig};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{INFO_BYTES_MAX, PrincipalId, RoomName, Verified};
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, EncodingKey};
use runtime::config::Secret;
use tokio::time::Instant;

use crate::take::Take;

const KEYS: &str = include_str!("../keys/keys.json");
/// Every token that was ever signed with these keys.
const SIGNED: [&str; 3] = [
    include_str!("../keys/ec.jwt"),
    include_str!("../keys/ed.jwt"),
    include_str!("../keys/rsa.jwt"),
];
const SECRET: &str = "known to this file and to nobody else";
const ISSUER: &str = "https://id.example";
/// Most rooms that a token opens.
const ROOMS_MAX: usize = 128;

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let keys = key::read(KEYS).expect("the set is good");
    verifier(keys)
});

/// A verifier that trusts an issuer with `keys`, and the operator's secret.
fn verifier(keys: KeyMap) -> TokenVerifier {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/keys.json");
    let tokens = TokensConfig {
        hmac_secret: Some(Secret::new(SECRET)),
        // Under libFuzzer the sources may be gone; then the secret alone is tried.
        jwks_file: file.exists().then_some(file),
        roles_claim: vec!["roles".to_owned()],
        ..TokensConfig::default()
    };
    let own = OwnTokens::open(&tokens, 30_000, true).expect("the secret is there");
    let config = IssuerConfig { url: ISSUER.to_owned(), ..IssuerConfig::default() };
    TokenVerifier::new(vec![Trusted { config, keys: Arc::new(KeyRing::given(keys)) }], own, 30)
}

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut input = Take(input);
    match input.byte() % 4 {
        0 => {
            let Ok(token) = std::str::from_utf8(input.0) else { return };
            if prove(&VERIFIER, token).is_some() {
                assert!(is_signed(token), "a forged token was let in: {token}");
            }
        }
        1 => {
            let token = signed(br#"{"alg":"HS256","typ":"JWT"}"#, input.0);
            if let Some(verified) = prove(&VERIFIER, &token) {
                bounded(&verified);
            }
        }
        2 => {
            let header = input.until_zero();
            let token = signed(header, input.0);
            if let Some(verified) = prove(&VERIFIER, &token) {
                honest(header);
                bounded(&verified);
            }
        }
        _ => {
            let Ok(text) = std::str::from_utf8(input.0) else { return };
            for keys in [key::read(text), key::usable_own(text)].into_iter().flatten() {
                assert!((1..=KEYS_MAX).contains(&keys.len()), "{} keys", keys.len());
                assert!(keys.keys().all(|kid| (1..=KID_BYTES_MAX).contains(&kid.len())));
                let verifier = verifier(keys);
                // These keys are whoever's: a token with no signature is nobody's.
                for token in SIGNED {
                    let bare = token.rsplit_once('.').expect("three parts").0;
                    assert!(prove(&verifier, &format!("{bare}.")).is_none());
                }
            }
        }
    }
}

/// What a token gives; `None` if it is refused. Asked for as a connection's and as a room's.
fn prove(verifier: &TokenVerifier, token: &str) -> Option<Verified> {
    let room = RoomName::parse("general").expect("a good name");
    let who = PrincipalId::new(auth::token::own::ISSUER, "ann");
    if let Ok(grant) = verifier.verify_subscription(&who, &room, token) {
        assert_eq!(grant.room, room);
        assert!(grant.info.len() <= INFO_BYTES_MAX && grant.data.is_empty());
        assert!(hmac(token), "a room was opened by a token without the operator's signature");
    }
    let deadline = Instant::now() + Duration::from_secs(1);
    let verified = verifier.verify(token, deadline).now_or_never();
    verified.expect("given keys are not waited for").ok()
}

/// Whether the signature is that of one of the three, or made with the secret.
fn is_signed(token: &str) -> bool {
    let unsigned = |token: &str| token.rsplit_once('.').map(|(unsigned, _)| unsigned.to_owned());
    SIGNED.iter().any(|signed| unsigned(signed) == unsigned(token)) || hmac(token)
}

/// Whether the operator's secret signed it, under any of its algorithms.
fn hmac(token: &str) -> bool {
    let Some((unsigned, signature)) = token.rsplit_once('.') else { return false };
    [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512].into_iter().any(|algorithm| {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let own = jsonwebtoken::crypto::sign(unsigned.as_bytes(), &key, algorithm);
        own.is_ok_and(|own| own == signature)
    })
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let unsigned = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(unsigned.as_bytes(), &key, Algorithm::HS256);
    format!("{unsigned}.{}", signature.expect("a secret signs"))
}

/// A header that was believed says HS256, the one algorithm that the signature is of, and nothing
/// that is never done.
fn honest(header: &[u8]) {
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(header).expect("a header is JSON");
    assert_eq!(members.get("alg").and_then(|alg| alg.as_str()), Some("HS256"));
    for refused in ["crit", "jku", "jwk", "x5u", "x5c", "enc", "zip", "b64"] {
        assert!(!members.contains_key(refused), "{refused} was let in");
    }
}

fn bounded(verified: &Verified) {
    let principal = &verified.principal;
    let (issuer, subject) = (&principal.id.issuer, &principal.id.subject);
    for text in [issuer, subject] {
        assert!(text.len() <= 255 && !text.chars().any(char::is_control), "{text:?}");
    }
    assert_ne!(&**issuer, ISSUER, "the operator's key vouches for an issuer's users");
    let anonymous = &**issuer == domain::ANONYMOUS_ISSUER;
    assert!(!anonymous || principal.roles.is_empty(), "nobody in particular has roles");
    assert_ne!(&**issuer, domain::API_KEY_ISSUER);
    assert!(principal.name.chars().count() <= 255);
    assert!(principal.info.len() <= INFO_BYTES_MAX);
    assert!(principal.grants.is_empty() && verified.rooms.len() <= ROOMS_MAX);
    for grant in &verified.rooms {
        assert!(grant.info.len() <= INFO_BYTES_MAX && grant.data.len() <= INFO_BYTES_MAX);
        assert!(!grant.info.contains(&b'\n') && !grant.data.contains(&b'\n'));
    }
}
