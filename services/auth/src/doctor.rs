//! Asks each issuer and the database of API keys whether this service could work with them.
//!
//! For `roomcast doctor`. A sentence says what is there, or what is wrong; it never holds the
//! database's address, which may hold a password. Nothing is changed.
use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::config::{AuthConfig, IssuerConfig, TokensConfig};
use crate::jwks::key;
use crate::oidc::KeySource;

/// How long the database may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Looks at everything that the config names: what was asked, and what became of it.
pub async fn check(config: &AuthConfig) -> Vec<(String, Result<String, String>)> {
    let mut found = Vec::new();
    for issuer in &config.issuers {
        found.push((format!("issuer {}", issuer.url), keys(config, issuer).await));
    }
    if config.tokens.has_keys() {
        found.push(("own tokens".to_owned(), own_keys(&config.tokens)));
    }
    match runtime::config::resolve(&config.database, &config.database_file) {
        Ok(None) => {}
        Ok(Some(url)) => {
            found.push(("API keys".to_owned(), database(url.expose_secret()).await));
        }
        Err(error) => found.push(("API keys".to_owned(), Err(format!("{error:#}")))),
    }
    found
}

fn own_keys(tokens: &TokensConfig) -> Result<String, String> {
    let secret = tokens.secret().map_err(|error| format!("{error:#}"))?;
    let keys = tokens.keys().map_err(|error| format!("{error:#}"))?;
    let secret = if secret.is_some() { "a secret" } else { "no secret" };
    Ok(format!("{secret} and {} public keys", keys.len()))
}

async fn keys(config: &AuthConfig, issuer: &IssuerConfig) -> Result<String, String> {
    let source =
        KeySource::new(issuer, config.fetch_timeout()).map_err(|error| format!("{error:#}"))?;
    let set = source.fetch().await.map_err(|error| error.to_string())?;
    let keys = key::usable(&set).map_err(|error| error.to_string())?;
    Ok(format!("{} keys to verify with", keys.len()))
}

async fn database(url: &str) -> Result<String, String> {
    if url.starts_with("sqlite:") {
        return sqlite(url).await;
    }
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| "the database's address cannot be read".to_owned())?
        .application_name("roomcast-doctor");
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let ask = async {
        let mut conn = PgConnection::connect_with(&options).await?;
        let row: (String, bool) = sqlx::query_as(
            "SELECT current_setting('server_version'), \
             has_database_privilege(current_database(), 'CREATE') \
             OR EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'auth')",
        )
        .fetch_one(&mut conn)
        .await?;
        conn.close().await?;
        Ok::<_, sqlx::Error>(row)
    };
    match tokio::time::timeout(ANSWER_WITHIN, ask).await {
        Ok(Ok((version, true))) => Ok(format!("PostgreSQL {version} at {place}")),
        Ok(Ok((_, false))) => {
            Err(format!("{place}: the user may not create the schema auth, and there is none"))
        }
        Ok(Err(error)) => Err(format!("cannot connect to {place}: {error}")),
        Err(_) => Err(format!("{place} does not answer")),
    }
}

async fn sqlite(url: &str) -> Result<String, String> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| "the database's address cannot be read".to_owned())?
        .read_only(true);
    let file = options.get_filename().to_owned();
    let shown = file.display();
    if !file.exists() {
        return Ok(format!("SQLite; the file will be made: {shown}"));
    }
    let ask = async {
        let mut conn = SqliteConnection::connect_with(&options).await?;
        let version: String =
            sqlx::query_scalar("SELECT sqlite_version() FROM sqlite_master LIMIT 1")
                .fetch_optional(&mut conn)
                .await?
                .unwrap_or_default();
        conn.close().await?;
        Ok::<_, sqlx::Error>(version)
    };
    match ask.await {
        Ok(version) => Ok(format!("SQLite {version}, {shown}")),
        Err(error) => Err(format!("cannot read {shown}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::config::Secret;

    #[tokio::test]
    async fn each_part_that_does_not_answer_is_named_and_no_password_is_shown() {
        let url = "http://127.0.0.1:1/realms/chat".to_owned();
        let issuer = IssuerConfig { url, ..IssuerConfig::default() };
        let config = AuthConfig {
            issuers: vec![issuer],
            database: Some(Secret::new("postgres://user:hunter2@127.0.0.1:1/chat")),
            ..AuthConfig::default()
        };
        let found = check(&config).await;
        let parts: Vec<&str> = found.iter().map(|(part, _)| part.as_str()).collect();
        assert_eq!(parts, ["issuer http://127.0.0.1:1/realms/chat", "API keys"]);
        assert!(found.iter().all(|(_, outcome)| outcome.is_err()), "{found:?}");
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    }
}
