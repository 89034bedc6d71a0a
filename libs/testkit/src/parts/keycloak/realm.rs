//! What operators and people do with a test's Keycloak: the admin API, signing in and refreshing.
//!
//! People are made as an operator would make them, and sign in by their password without a
//! browser; the realm that ships forbids that, so the first of them opens it here.
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Keycloak;
use crate::poll;

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The id, which is the subject of the tokens.
    pub id: String,
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// What a sign-in gives.
#[derive(Debug, Clone, Deserialize)]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// The refresh token; client credentials give none.
    #[serde(default)]
    pub refresh_token: String,
    /// The ID token; client credentials give none.
    #[serde(default)]
    pub id_token: String,
}

impl Keycloak {
    /// Makes a person with roles of the realm besides those that everybody has.
    pub async fn new_person(&self, word: &str, roles: &[&str]) -> Result<Person> {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{word}-{}", &unique[..8]);
        // Without all of these a sign-in may stop at "Account is not fully set up".
        let user = json!({
            "username": name, "enabled": true, "email": format!("{name}@example.test"),
            "emailVerified": true, "firstName": word, "lastName": "Example",
            "credentials": [{ "type": "password", "value": unique, "temporary": false }],
        });
        self.admin(Method::POST, "/users", Some(user)).await?;
        let path = format!("/users?exact=true&username={name}");
        let found = self.admin(Method::GET, &path, None).await?;
        let id = found[0]["id"].as_str().context("the person was not made")?.to_owned();
        let mut list = Vec::new();
        for role in roles {
            list.push(self.admin(Method::GET, &format!("/roles/{role}"), None).await?);
        }
        let path = format!("/users/{id}/role-mappings/realm");
        self.admin(Method::POST, &path, Some(json!(list))).await?;
        Ok(Person { id, name, password: unique })
    }

    /// Enables or disables a person.
    pub async fn enable(&self, person: &Person, enabled: bool) -> Result<()> {
        let path = format!("/users/{}", person.id);
        self.admin(Method::PUT, &path, Some(json!({ "enabled": enabled }))).await.map(drop)
    }

    /// Signs in by a password at `client`.
    pub async fn sign_in_at(&self, client: &str, person: &Person) -> Result<Tokens> {
        self.token(
            "chat",
            &[
                ("grant_type", "password"),
                ("client_id", client),
                ("scope", "openid profile"),
                ("username", &person.name),
                ("password", &person.password),
            ],
        )
        .await
    }

    /// Signs in at the client of the page, which is opened for it.
    pub async fn sign_in(&self, person: &Person) -> Result<Tokens> {
        self.let_passwords_in("frontend").await?;
        self.sign_in_at("frontend", person).await
    }

    /// Fetches new tokens by a refresh token of the page's client.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens> {
        self.token(
            "chat",
            &[
                ("grant_type", "refresh_token"),
                ("client_id", "frontend"),
                ("refresh_token", refresh_token),
            ],
        )
        .await
    }

    /// A token for the client `backend` by its credentials.
    pub async fn backend_token(&self) -> Result<String> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "backend"),
            ("client_secret", self.client_secret()),
        ];
        Ok(self.token("chat", &form).await?.access_token)
    }

    /// How long access tokens hold from now on.
    pub async fn token_lifetime_s(&self, seconds: u32) -> Result<()> {
        let change = json!({ "accessTokenLifespan": seconds });
        self.admin(Method::PUT, "", Some(change)).await.map(drop)
    }

    /// A new key signs from now on. A hard rotation takes the old ones away at once.
    pub async fn rotate(&self, hard: bool) -> Result<()> {
        let old = self.admin(Method::GET, "/components?type=org.keycloak.keys.KeyProvider", None);
        let old = old.await?;
        let realm = self.admin(Method::GET, "", None).await?["id"].clone();
        let priority = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let key = json!({
            "name": uuid::Uuid::new_v4().to_string(),
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": realm,
            "config": {
                "priority": [priority.as_secs().to_string()],
                "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"], "keySize": ["2048"],
            },
        });
        self.admin(Method::POST, "/components", Some(key)).await?;
        let signs = |key: &&Value| key["providerId"] == "rsa-generated";
        for key in old.as_array().into_iter().flatten().filter(|_| hard).filter(signs) {
            let id = key["id"].as_str().context("a key without id")?;
            self.admin(Method::DELETE, &format!("/components/{id}"), None).await?;
        }
        Ok(())
    }

    /// The key set as it is handed out.
    pub async fn key_set(&self) -> Result<Value> {
        let url = format!("{}/protocol/openid-connect/certs", self.issuer());
        Ok(self.0.http.get(url).send().await?.error_for_status()?.json().await?)
    }

    /// Asks the admin API of the realm; `Null` if it answers with nothing.
    pub async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", "admin"),
            ("password", &self.0.password),
        ];
        let token = self.token("master", &form).await?.access_token;
        let url = format!("{}/admin/realms/chat{path}", self.base());
        let mut request = self.0.http.request(method.clone(), url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{method} {path}: {status} {text}");
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// Waits until it hands keys out.
    pub(super) async fn ready(&self) -> Result<()> {
        let what = "Keycloak's keys";
        poll::until(super::START, what, || async { self.key_set().await.is_ok() }).await
    }

    /// Opens a client for sign-ins without a browser.
    pub async fn let_passwords_in(&self, client: &str) -> Result<()> {
        self.change_client(client, json!({ "directAccessGrantsEnabled": true })).await
    }

    /// Makes a public client that people can sign in at, with no mapper of its own.
    pub async fn new_client(&self, client: &str) -> Result<()> {
        let client = json!({
            "clientId": client, "publicClient": true, "standardFlowEnabled": false,
            "directAccessGrantsEnabled": true,
        });
        self.admin(Method::POST, "/clients", Some(client)).await.map(drop)
    }

    async fn change_client(&self, client: &str, change: Value) -> Result<()> {
        let found = self.admin(Method::GET, &format!("/clients?clientId={client}"), None).await?;
        let mut whole = found[0].clone();
        let id = whole["id"].as_str().context("there is no such client")?.to_owned();
        for (name, value) in change.as_object().into_iter().flatten() {
            whole[name] = value.clone();
        }
        self.admin(Method::PUT, &format!("/clients/{id}"), Some(whole)).await.map(drop)
    }

    async fn token(&self, realm: &str, form: &[(&str, &str)]) -> Result<Tokens> {
        let url = format!("{}/realms/{realm}/protocol/openid-connect/token", self.base());
        let answer = self.0.http.post(url).form(form).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "no token: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }
}
