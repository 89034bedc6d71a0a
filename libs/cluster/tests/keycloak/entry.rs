//! Who gets in with which of Keycloak's tokens, and for how long.
use std::process::Command;

use cluster::binaries;
use reqwest::Method;
use serde_json::json;
use testkit::issuer::{Algorithm, TestKey, TestToken};
use testkit::parts::{Keycloak, Person, shared_keycloak};
use testkit::poll;

use crate::{House, closed, s, turn};

/// Calls the admin port as a script would; answers with what it printed, if it was let.
async fn administer(house: &House, token: &str) -> Result<String, String> {
    let mut command = Command::new(binaries::find("roomcast").unwrap());
    let address = format!("http://127.0.0.1:{}", house.0.service.admin_port);
    command.args(["admin", "--address", &address, "stats"]).env("ROOMCAST_ADMIN_TOKEN", token);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A claim of a token, without any proof.
fn claim(token: &str, name: &str) -> serde_json::Value {
    let key = TestKey::generate(Algorithm::Es256).unwrap().into();
    TestToken::like(token, &key).unwrap().get(name)
}

/// Takes away the roles that everybody has, and with them the audience of Keycloak's own pages.
async fn take_default_roles(keycloak: &Keycloak, person: &Person) {
    let path = format!("/users/{}/role-mappings/realm", person.id);
    let role = keycloak.admin(Method::GET, "/roles/default-roles-chat", None).await.unwrap();
    keycloak.admin(Method::DELETE, &path, Some(json!([role]))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn both_roles_get_in_and_only_an_admin_administers() {
    let _turn = turn().await;
    let keycloak = shared_keycloak().await.unwrap();
    let house = House::open(keycloak).await;
    let ann = keycloak.new_person("ann", &["admin"]).await.unwrap();
    let bob = keycloak.new_person("bob", &[]).await.unwrap();
    let of_ann = keycloak.sign_in(&ann).await.unwrap().access_token;
    let of_bob = keycloak.sign_in(&bob).await.unwrap().access_token;

    let me = house.me(&of_ann).await.unwrap();
    assert_eq!((&me["subject"], &me["name"]), (&json!(ann.id), &json!(ann.name)));
    assert_eq!(me["issuer"], json!(keycloak.issuer()));
    let roles = |me: serde_json::Value| me["roles"].to_string();
    assert!(roles(me.clone()).contains("\"admin\"") && roles(me).contains("\"user\""));
    let me = roles(house.me(&of_bob).await.unwrap());
    assert!(me.contains("\"user\"") && !me.contains("\"admin\""), "{me}");

    let (sender, _pushes) = house.connect(&of_ann).await;
    let (reader, _more) = house.connect(&of_bob).await;
    sender.subscribe("general", None).await.unwrap();
    reader.subscribe("general", None).await.unwrap();
    let hello = json!({"channel": "general", "data": {"text": "hello"}});
    sender.command("publish", hello).await.unwrap();

    administer(&house, &of_ann).await.unwrap();
    let refused = administer(&house, &of_bob).await.unwrap_err();
    assert!(refused.contains("admin"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_administers_by_the_credentials_of_backend() {
    let _turn = turn().await;
    let keycloak = shared_keycloak().await.unwrap();
    let token = keycloak.backend_token().await.unwrap();
    let house = House::open(keycloak).await;
    administer(&house, &token).await.unwrap();
    // Where only the page's client is believed, the same token opens nothing.
    let house = House::open_for(keycloak, &["frontend"]).await;
    assert_eq!(house.me(&token).await.unwrap_err(), "INVALID_CREDENTIAL");
    administer(&house, &token).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn audiences_pass_as_a_text_and_as_a_list() {
    let _turn = turn().await;
    let keycloak = shared_keycloak().await.unwrap();
    let house = House::open(keycloak).await;
    let person = keycloak.new_person("ann", &[]).await.unwrap();
    let token = keycloak.sign_in(&person).await.unwrap().access_token;
    assert_eq!(claim(&token, "aud"), json!(["backend", "account"]));
    house.connect(&token).await;

    take_default_roles(keycloak, &person).await;
    let token = keycloak.sign_in(&person).await.unwrap().access_token;
    assert_eq!(claim(&token, "aud"), json!("backend"));
    house.connect(&token).await;
    // Who has no role at all has no claim for them either.
    assert_eq!(house.me(&token).await.unwrap()["roles"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_others_or_no_access_token_is_refused_for_good() {
    let _turn = turn().await;
    let keycloak = shared_keycloak().await.unwrap();
    let house = House::open(keycloak).await;
    let person = keycloak.new_person("ann", &["admin"]).await.unwrap();
    let tokens = keycloak.sign_in(&person).await.unwrap();
    keycloak.new_client("another-app").await.unwrap();
    let other = keycloak.sign_in_at("another-app", &person).await.unwrap();
    for (what, token) in [
        ("another client's", &other.access_token),
        ("an ID token", &tokens.id_token),
        ("a refresh token", &tokens.refresh_token),
        ("another client's ID token", &other.id_token),
    ] {
        assert_eq!(house.me(token).await.unwrap_err(), "INVALID_CREDENTIAL", "{what}");
        assert_eq!(house.closes(token).await, 3500, "{what}");
        administer(&house, token).await.unwrap_err();
    }
    house.connect(&tokens.access_token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_token_is_called_ended_and_a_fresh_one_is_asked_for() {
    let _turn = turn().await;
    let keycloak = shared_keycloak().await.unwrap();
    let house = House::open(keycloak).await;
    let person = keycloak.new_person("ann", &[]).await.unwrap();
    keycloak.token_lifetime_s(3).await.unwrap();
    let tokens = keycloak.sign_in(&person).await.unwrap();
    keycloak.token_lifetime_s(300).await.unwrap();
    let ended =
        || async { house.me(&tokens.access_token).await == Err("CREDENTIAL_EXPIRED".to_owned()) };
    poll::until(s(30), "the token's end", ended).await.unwrap();
    assert_eq!(house.refuses(&tokens.access_token).await.0, 109);
    let fresh = keycloak.refresh(&tokens.refresh_token).await.unwrap();
    house.connect(&fresh.access_token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_gets_no_token_and_is_out_when_the_last_one_ends() {
    let _turn = turn().await;
    let keycloak = shared_keycloak().await.unwrap();
    let house = House::open(keycloak).await;
    let person = keycloak.new_person("mallory", &[]).await.unwrap();
    keycloak.token_lifetime_s(8).await.unwrap();
    let tokens = keycloak.sign_in(&person).await.unwrap();
    keycloak.token_lifetime_s(300).await.unwrap();
    let (client, mut incoming) = house.connect(&tokens.access_token).await;
    client.subscribe("general", None).await.unwrap();

    keycloak.enable(&person, false).await.unwrap();
    assert!(keycloak.refresh(&tokens.refresh_token).await.is_err(), "a refresh was given");
    assert!(keycloak.sign_in(&person).await.is_err(), "a sign-in was given");
    // What was proved offline holds to its end, and no longer.
    assert_eq!(closed(&mut incoming).await, 3005);
    let refused = || async { house.me(&tokens.access_token).await.is_err() };
    poll::until(s(10), "the token's end", refused).await.unwrap();
    assert_eq!(house.refuses(&tokens.access_token).await.0, 109);
}
