//! A real token of Keycloak, changed in every way that an attacker without its key has: all of them
//! are proved bad, and none is taken for a passing failure.
//!
//! Four sources: texts that are no token, true signatures under other headers or claims, signatures
//! of a stranger's key under Keycloak's key id, and the public key taken for a secret.
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::issuer::{Algorithm, TestKey, TestToken};
use testkit::parts::{Keycloak, Tokens, shared_keycloak};

use crate::{House, turn};

/// Forgeries: what they are, and the token.
type Forgeries = Vec<(String, String)>;

#[tokio::test(flavor = "multi_thread")]
async fn no_forgery_of_a_true_token_gets_in() {
    let _turn = turn().await;
    let keycloak = shared_keycloak().await.unwrap();
    let house = House::open(keycloak).await;
    let person = keycloak.new_person("ann", &[]).await.unwrap();
    let tokens = keycloak.sign_in(&person).await.unwrap();
    let stranger = Arc::new(TestKey::generate(Algorithm::Rs256).unwrap());
    let token = TestToken::like(&tokens.access_token, &stranger).unwrap();
    let keys = keycloak.key_set().await.unwrap();
    house.me(&tokens.access_token).await.unwrap();

    let mut all = texts(&tokens);
    all.extend(headers(&token, &tokens.access_token, &keys));
    all.extend(claims(&token, &tokens.access_token, keycloak));
    all.extend(secrets(&token, &keys));
    let different: HashSet<&String> = all.iter().map(|(_, token)| token).collect();
    assert_eq!(different.len(), all.len(), "a forgery stands twice");
    assert!(all.len() >= 60, "only {} forgeries", all.len());

    for (what, forged) in &all {
        let reason = house.me(forged).await.expect_err(what);
        assert_eq!(reason, "INVALID_CREDENTIAL", "{what}");
    }
    // On a socket each of them ends it for good; a tenth of them shows that.
    for (what, forged) in all.iter().step_by(10) {
        assert_eq!(house.closes(forged).await, 3500, "{what}");
    }
    let huge = token.clone().claim("x", json!("x".repeat(17_000))).sign();
    assert_eq!(house.closes(&huge).await, 3500, "a huge token");
    house.me(&tokens.access_token).await.unwrap();
}

/// Parts left out, doubled, exchanged and damaged.
fn texts(tokens: &Tokens) -> Forgeries {
    let token = &tokens.access_token;
    let [head, body, signature] = parts(token);
    let [_, id_body, id_signature] = parts(&tokens.id_token);
    let mut all: Forgeries = [
        ("no signature", format!("{head}.{body}.")),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{token}.{signature}")),
        ("the signature twice", format!("{token}{signature}")),
        ("the header twice", format!("{head}.{head}.{body}.{signature}")),
        ("the claims twice", format!("{head}.{body}.{body}.{signature}")),
        ("header and claims exchanged", format!("{body}.{head}.{signature}")),
        ("no header", format!(".{body}.{signature}")),
        ("no claims", format!("{head}..{signature}")),
        ("nothing but dots", "..".to_owned()),
        ("padding", format!("{token}==")),
        ("half a signature", format!("{head}.{body}.{}", &signature[..signature.len() / 2])),
        ("the ID token's signature", format!("{head}.{body}.{id_signature}")),
        ("the ID token's claims", format!("{head}.{id_body}.{signature}")),
        ("a signature of zeros", format!("{head}.{body}.{}", "A".repeat(signature.len()))),
        ("the header as the signature", format!("{head}.{body}.{head}")),
        ("the token's end in capitals", format!("{head}.{body}.{}", signature.to_uppercase())),
    ]
    .map(|(what, token)| (what.to_owned(), token))
    .into();
    // One letter of the signature, at several places. The last holds bits that mean nothing, but a
    // second spelling of a signature is none.
    for at in
        [0, 1, signature.len() / 3, signature.len() / 2, signature.len() - 2, signature.len() - 1]
    {
        let letter = if signature.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut changed = signature.to_owned();
        changed.replace_range(at..=at, letter);
        all.push((format!("letter {at} of the signature"), format!("{head}.{body}.{changed}")));
    }
    all
}

/// Headers that ask for another proof. Each with Keycloak's signature, and signed by a stranger.
fn headers(token: &TestToken, signed: &str, keys: &Value) -> Forgeries {
    let [_, _, signature] = parts(signed);
    let kid_of = |usage: &str| {
        let mut keys = keys["keys"].as_array().into_iter().flatten();
        keys.find(|key| key["use"] == usage).unwrap()["kid"].clone()
    };
    let stranger = TestKey::generate(Algorithm::Rs256).unwrap();
    let evil = json!("http://127.0.0.1:9/keys");
    let mut all = Forgeries::new();
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("")),
        ("alg", json!("HS256")),
        ("alg", json!("RS384")),
        ("alg", json!("PS256")),
        ("alg", json!("ES256")),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!(["RS256"])),
        ("kid", kid_of("enc")),
        ("kid", json!("")),
        ("kid", json!(7)),
        ("kid", json!(null)),
        ("kid", json!("../../../dev/null")),
        ("kid", json!("k".repeat(129))),
        ("crit", json!(["exp"])),
        ("jwk", stranger.jwk()),
        ("jku", evil.clone()),
        ("x5u", evil),
        ("x5c", json!(["MIIB"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("typ", json!("logout+jwt")),
    ] {
        let what = format!("header {name} = {value}");
        let changed = token.clone().header(name, value);
        all.push((
            format!("{what}, Keycloak's signature"),
            format!("{}.{signature}", changed.unsigned()),
        ));
        all.push((what, changed.sign()));
    }
    let nameless = token.clone().without_header("kid");
    all.push((
        "no kid, Keycloak's signature".to_owned(),
        format!("{}.{signature}", nameless.unsigned()),
    ));
    all.push(("no kid".to_owned(), nameless.sign()));
    all.push(("no alg".to_owned(), token.clone().without_header("alg").sign()));
    let unsigned = token.clone().header("alg", json!("none")).with_signature(b"");
    all.push(("alg none and no signature".to_owned(), unsigned));
    all
}

/// Claims that would open more. Each with Keycloak's signature, and signed by a stranger.
fn claims(token: &TestToken, signed: &str, keycloak: &Keycloak) -> Forgeries {
    let [_, _, signature] = parts(signed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let issuer = keycloak.issuer();
    let mut all = Forgeries::new();
    for (name, value) in [
        ("realm_access", json!({"roles": ["admin", "user"]})),
        ("sub", json!("00000000-0000-0000-0000-000000000000")),
        ("sub", json!("")),
        ("preferred_username", json!("root")),
        ("aud", json!(["backend", "account", "x"])),
        ("aud", json!([])),
        ("azp", json!("backend")),
        ("typ", json!("ID")),
        ("iss", json!(format!("{issuer}/"))),
        ("iss", json!(issuer.replace("127.0.0.1", "localhost"))),
        ("iss", json!(issuer.replace("/chat", "/master"))),
        ("iss", json!(issuer.replace("http:", "https:"))),
        ("iss", json!(issuer.to_uppercase())),
        ("iss", json!([issuer])),
        ("iss", json!("")),
        ("exp", json!(now + 86_400)),
        ("exp", json!((now + 86_400).to_string())),
        ("exp", json!(1e300)),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("nbf", json!(now + 3_600)),
        ("iat", json!(now + 3_600)),
    ] {
        let what = format!("claim {name} = {value}");
        let changed = token.clone().claim(name, value);
        all.push((
            format!("{what}, Keycloak's signature"),
            format!("{}.{signature}", changed.unsigned()),
        ));
        all.push((what, changed.sign()));
    }
    for name in ["exp", "iss", "aud", "sub", "azp"] {
        all.push((format!("no claim {name}"), token.clone().without(name).sign()));
    }
    let twice = token.claims_text().replacen('{', r#"{"sub":"root","#, 1);
    all.push(("sub twice".to_owned(), token.sign_text(&twice)));
    all.push(("nothing changed, but a stranger's signature".to_owned(), token.sign()));
    all
}

/// HS256 with what everybody can know of Keycloak's key.
fn secrets(token: &TestToken, keys: &Value) -> Forgeries {
    let mut keys = keys["keys"].as_array().into_iter().flatten();
    let key = keys.find(|key| key["use"] == "sig").unwrap();
    let certificate = key["x5c"][0].as_str().unwrap();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
    [
        ("its JWK", key.to_string()),
        ("its modulus", key["n"].as_str().unwrap().to_owned()),
        ("its certificate", certificate.to_owned()),
        ("its certificate as PEM", pem),
        ("its id", key["kid"].as_str().unwrap().to_owned()),
        ("nothing", String::new()),
    ]
    .map(|(what, secret)| (format!("HS256 with {what}"), token.clone().hs256(secret.as_bytes())))
    .into()
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}
